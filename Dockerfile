FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 \
    PATH=/app/.venv/bin:$PATH

RUN pip install --no-cache-dir uv==0.13.8 \
    && useradd --create-home --uid 1000 agentpipe \
    && install -d -o agentpipe /data

WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY clients/python/pyproject.toml clients/python/
RUN uv sync --locked --no-dev --extra tracing --no-cache
COPY . .
RUN python -m compileall -q -x /[.]venv/ .

# Whoever runs it cannot change it: only /data and /tmp are written to.
USER agentpipe
ENV AGENTPIPE_HOST=0.0.0.0 \
    AGENTPIPE_DATA_DIR=/data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT', 8000)}/readyz\", timeout=4)"]
CMD ["python", "manage.py", "up"]
