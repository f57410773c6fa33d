# The GPU worker. Build from the project's root:
#   docker build -f deploy/worker.Dockerfile -t aicp-worker .
# and run with weights mounted read-only (docs/worker.md):
#   docker run --gpus all -p 127.0.0.1:8750:8750 -v /srv/weights:/weights:ro -v aicp-work:/work \
#     -e AICP_WORKER_TOKEN -e AICP_WORKER_CALLBACK_SECRET aicp-worker
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS build
# Without a GPU, for drafts: --build-arg EXTRAS=worker
ARG EXTRAS=worker,diffusers
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY ai_content_pipeline ./ai_content_pipeline
RUN python -m venv /opt/aicp \
 && /opt/aicp/bin/pip install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}-slim
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin aicp \
 && mkdir /work && chown aicp:aicp /work
COPY --from=build /opt/aicp /opt/aicp
ENV PATH=/opt/aicp/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 \
    AICP_MODELS_DIR=/weights
USER aicp
WORKDIR /work
VOLUME /work
EXPOSE 8750
# Ends in order on SIGTERM: begins nothing new, lets running jobs end. Give it longer than --drain.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8750/ready', timeout=4)"]
ENTRYPOINT ["aicp", "worker", "serve", "--host", "0.0.0.0", "--workspace", "/work"]
