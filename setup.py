"""Installs jupyterhub-efs-quota."""

import re
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, find_packages, setup

here = Path(__file__).parent
version = re.search(
    r'^__version__ = "(.+)"$',
    (here / "jupyterhub_efs_quota" / "__init__.py").read_text(),
    re.MULTILINE,
)

# One file for every Python from 3.10; those without the global lock need one of their own.
stable = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
walk = Extension(
    "jupyterhub_efs_quota.measure.walk._walk",
    [
        "jupyterhub_efs_quota/measure/walk/_walk.c",
        "jupyterhub_efs_quota/measure/walk/_walk_best.c",
        "jupyterhub_efs_quota/measure/walk/_walk_handles.c",
        "jupyterhub_efs_quota/measure/walk/_walk_linked.c",
        "jupyterhub_efs_quota/measure/walk/_walk_module.c",
        "jupyterhub_efs_quota/measure/walk/_walk_pace.c",
        "jupyterhub_efs_quota/measure/walk/_walk_pattern.c",
        "jupyterhub_efs_quota/measure/walk/_walk_tally.c",
    ],
    depends=[
        "jupyterhub_efs_quota/measure/walk/_walk.h",
        "jupyterhub_efs_quota/measure/walk/_walk_inner.h",
        "jupyterhub_efs_quota/measure/walk/_walk_pace.h",
    ],
    define_macros=[("Py_LIMITED_API", "0x030A0000")] if stable else [],
    py_limited_api=stable,
    extra_compile_args=["-O2", "-fvisibility=hidden", "-pthread"],
    extra_link_args=["-pthread"],
    # Where it cannot be built, measure/walk/twin.py does the same in Python.
    optional=True,
)

setup(
    name="jupyterhub-efs-quota",
    version=version[1],
    description="Storage quotas for JupyterHub homes on shared file systems",
    long_description=(here / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=find_packages(include=["jupyterhub_efs_quota", "jupyterhub_efs_quota.*"]),
    ext_modules=[walk] if sys.platform == "linux" else [],
    options={"bdist_wheel": {"py_limited_api": "cp310"}} if stable else {},
    package_data={
        "jupyterhub_efs_quota": ["py.typed"],
        "jupyterhub_efs_quota.measure.walk": ["*.pyi"],
        "jupyterhub_efs_quota.hub": ["templates/*.html"],
        "jupyterhub_efs_quota.web": ["templates/*.html", "static/*"],
    },
    install_requires=[
        "aiosmtplib>=3",
        "alembic>=1.12",
        "jinja2>=3.1",
        "jupyterhub>=5.4,<7",
        "plotly>=7.1,<8",
        "prometheus_client",
        "PyYAML>=6",
        "SQLAlchemy>=2.0.10",
        "rich>=13",
        "statsd>=4",
        "tornado>=6.4",
        "traitlets>=5.11",
    ],
    extras_require={
        "postgresql": ["psycopg[binary]>=3.1"],
        "dask": ["distributed>=2024.1"],
        "test": [
            "aiosmtpd",
            "beautifulsoup4",
            "coverage",
            "distributed>=2024.1",
            "dockerspawner",
            "filelock",
            "hypothesis",
            "jupyterhub-kubespawner>=7",
            "mfusepy",
            "openapi-spec-validator",
            "pillow",
            "playwright",
            "psycopg[binary]>=3.1",
            "pyte",
            "pytest",
            "pytest-asyncio>=1",
            "pytest-cov",
            "pytest-jupyterhub",
            "pytest-xdist",
            "requests",
            "schemathesis>=4",
        ],
        "lint": ["mypy", "ruff", "types-PyYAML"],
        "docs": ["jupyterhub-sphinx-theme", "myst-parser", "sphinx"],
    },
    entry_points={
        "console_scripts": [
            "jupyterhub-efs-quota = jupyterhub_efs_quota.commands:main",
            "check-quota = jupyterhub_efs_quota.check:main",
        ]
    },
    classifiers=[
        "Framework :: Jupyter :: JupyterHub",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
    ],
)
