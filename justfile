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

# Each fuzz target for FUZZ_SECONDS.
fuzz-smoke:
    .ci/fuzz-smoke

# The command on real events, checked by independent programs.
real-input:
    .ci/real-input

test:
    cargo test --workspace
