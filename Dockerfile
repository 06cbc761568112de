# One image for every service: `docker run IMAGE run dispatcher`, configured by BRIDGE_… variables.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/bridge
COPY requirements.lock ./
# Hashes are checked: what is installed is what was locked and tested.
RUN /opt/bridge/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE topics.yaml ./
COPY schemas ./schemas
COPY bridge ./bridge
RUN python -m pip install --no-cache-dir hatchling==1.33.0 \
 && python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/bridge/bin/pip install --no-cache-dir --no-deps dist/*.whl

FROM python:3.11-slim-bookworm
# The gateway's certificate is checked against the system's authorities unless BRIDGE_GATEWAY_CA_FILE names others.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin bridge
COPY --from=build /opt/bridge /opt/bridge
ENV PATH=/opt/bridge/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8080 9090
# Python is process 1 and gets SIGTERM itself.
ENTRYPOINT ["bridge"]
