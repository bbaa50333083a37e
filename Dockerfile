# syntax=docker/dockerfile:1
# A small image with the one program that contains every service, run by an unprivileged user: docker build -t usher .
# `usher` alone runs everything on SQLite in /var/lib/usher/data; docker-compose.yml runs the services separately.

FROM rust:1.95-bookworm AS build
WORKDIR /usher
COPY . .
# The caches outlive the layer: after a change only what it affects is recompiled.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/usher/target \
    cargo build --release --locked -p usher \
    && install -D -t /out target/release/usher

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/usher usher \
    && install -d -o usher -g usher /var/lib/usher /var/lib/usher/data
# For TLS to databases and Redis; mail has its own root certificates.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /usr/local/bin/
# `ready 8000` succeeds when http://127.0.0.1:8000/health/ready answers 200; the image has no curl.
COPY --chmod=755 <<'EOT' /usr/local/bin/ready
#!/bin/bash
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
printf 'GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 5 answer <&3
[[ $answer == 'HTTP/1.1 200 '* ]]
EOT
USER usher
WORKDIR /var/lib/usher
VOLUME /var/lib/usher/data
ENV USHER_ENV=production API_ADDR=0.0.0.0:8000 ADMIN_ADDR=0.0.0.0:8001
EXPOSE 8000 8001
CMD ["usher"]
