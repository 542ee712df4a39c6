# docker build -t millstream . && docker run -p 4566:4566 -v millstream:/data \
#     -e MILLSTREAM_ACCESS_KEYS=test:test millstream
#
# Inside a container other machines can reach the port, so access keys must be given: without them
# the server refuses to start and says so.
FROM debian:12 AS build
WORKDIR /source
COPY tools/debian-packages.txt tools/
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(awk '/^#/ { next } / build( |$)/ { print $1 }' tools/debian-packages.txt) \
 && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release && ninja -C build/release millstream && strip build/release/src/server/millstream

FROM debian:12-slim
COPY tools/debian-packages.txt /tmp/
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(awk '/^#/ { next } / runtime( |$)/ { print $1 }' /tmp/debian-packages.txt) \
 && rm -rf /var/lib/apt/lists/* /tmp/debian-packages.txt \
 && adduser --system --group --home /data millstream \
 && mkdir -p /data /keys && chown millstream:millstream /data /keys
COPY --from=build /source/build/release/src/server/millstream /usr/bin/millstream
USER millstream
ENV MILLSTREAM_DATA_DIRECTORY=/data \
    MILLSTREAM_LISTEN_ADDRESS=0.0.0.0 \
    MILLSTREAM_ENCRYPTION_KEY_RING=/keys/ring \
    MILLSTREAM_LOGGING_FORMAT=json
VOLUME ["/data", "/keys"]
EXPOSE 4566
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=2s --start-period=10s \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/4566 && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["/usr/bin/millstream"]
CMD ["serve"]
