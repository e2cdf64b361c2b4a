# syntax=docker/dockerfile:1
# The audit service in an image without a shell: `docker build -t indelible .`
#
# Run it with a read-only root, a volume for the logs and no privileges:
#
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#     --mount type=volume,src=audit,dst=/var/lib/indelible \
#     --mount type=bind,src=/etc/indelible,dst=/etc/indelible,readonly \
#     -p 8600:8600 --stop-timeout 45 indelible
#
# A volume that is new gets its log once, by hand:
#
#   docker run --rm --mount type=volume,src=audit,dst=/var/lib/indelible indelible init /var/lib/indelible/audit

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package indelible-cli && \
    install -D -m 0755 target/release/indelible /root-of-image/usr/bin/indelible
# What the binary is linked to, the loader among it, and nothing else.
RUN ldd /root-of-image/usr/bin/indelible | grep -o '/[^ ]*' | \
    xargs -I{} cp --parents --dereference {} /root-of-image && \
    mkdir -p /root-of-image/etc/indelible /root-of-image/run/indelible /root-of-image/var/lib/indelible && \
    printf 'indelible:x:10001:10001::/var/lib/indelible:/nonexistent\n' > /root-of-image/etc/passwd && \
    printf 'indelible:x:10001:\n' > /root-of-image/etc/group && \
    cp packaging/indelible.toml /root-of-image/etc/indelible/indelible.toml && \
    chown -R 10001:10001 /root-of-image/var/lib/indelible /root-of-image/run/indelible && \
    chmod 0750 /root-of-image/var/lib/indelible

FROM scratch
LABEL org.opencontainers.image.title="indelible" \
      org.opencontainers.image.description="Tamper-evident audit log" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
COPY --from=build /root-of-image /
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
VOLUME ["/var/lib/indelible"]
EXPOSE 8600
STOPSIGNAL SIGTERM
# Health: GET /healthz and /readyz on the admin listener, by the orchestrator; there is no shell here to ask with.
ENTRYPOINT ["/usr/bin/indelible"]
CMD ["serve", "--config", "/etc/indelible/indelible.toml"]
