# The hub's image of Zero to JupyterHub, with jupyterhub-efs-quota. Build it in a checkout:
#
#   docker build --build-arg CHART_VERSION=4.3.3 -f docs/how-to/z2jh.Dockerfile \
#       -t registry.example.org/hub-with-quotas:1 .
#
# CHART_VERSION is the version of the Helm chart that you use.
ARG CHART_VERSION
FROM quay.io/jupyterhub/k8s-hub:${CHART_VERSION} AS build
USER root
# The walk over the homes is compiled here. The hub's image itself needs no compiler.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
COPY . /src/jupyterhub-efs-quota
RUN python3 -m pip wheel --no-deps --wheel-dir /wheels /src/jupyterhub-efs-quota

FROM quay.io/jupyterhub/k8s-hub:${CHART_VERSION}
USER root
COPY --from=build /wheels /wheels
# The hub stays as it is: without its version here, pip might install a newer one.
RUN python3 -m pip install --no-cache-dir "jupyterhub==$(jupyterhub --version)" /wheels/*.whl
USER ${NB_USER}
