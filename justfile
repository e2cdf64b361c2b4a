# Each recipe is a script of .ci, so `just` is never needed.

# Everything that a change must pass.
ci:
    .ci/run

# Installs what the other recipes need.
install:
    .ci/install

fmt:
    .ci/fmt

clippy:
    .ci/clippy

rustdoc:
    .ci/rustdoc

deny:
    .ci/deny

# What is shipped to run the service.
packaging:
    .ci/packaging

# The protocol, as buf lints it.
proto:
    .ci/proto

typos:
    .ci/typos

# No Rust file over 800 lines.
file-length:
    .ci/file-length

# A change of the format is told in CHANGELOG.md.
changelog:
    .ci/changelog

# Links, the README's script, the spec's example.
docs:
    .ci/docs

# Lines of writer, rotation, recovery and verifier that no test runs.
coverage:
    .ci/coverage

# The bench that tries every fault, in its short form; layers and flags go through.
torture *args:
    .ci/torture {{args}}

# Which mistakes in the format, in writer, recovery and verifier no test would notice; takes an hour or more from nothing.
mutants *args:
    .ci/mutants {{args}}

# The command on real events, checked by independent programs.
real-input:
    .ci/real-input

# A running service, driven by clients that nobody here wrote.
service:
    .ci/service

test:
    cargo test --workspace
