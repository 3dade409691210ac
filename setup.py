"""Installs jupyterhub-efs-quota."""

import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = re.search(
    r'^__version__ = "(.+)"$',
    (here / "jupyterhub_efs_quota" / "__init__.py").read_text(),
    re.MULTILINE,
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
    package_data={
        "jupyterhub_efs_quota": ["py.typed"],
        "jupyterhub_efs_quota.hub": ["templates/*.html"],
        "jupyterhub_efs_quota.web": ["templates/*.html", "static/*"],
    },
    install_requires=[
        "jinja2>=3.1",
        "jupyterhub>=5.4,<7",
        "prometheus_client",
        "PyYAML>=6",
        "tornado>=6.4",
        "traitlets>=5.9",
    ],
    extras_require={
        "test": [
            "beautifulsoup4",
            "coverage",
            "filelock",
            "hypothesis",
            "jupyterhub-kubespawner>=7",
            "mfusepy",
            "playwright",
            "pytest",
            "pytest-asyncio>=1",
            "pytest-cov",
            "pytest-jupyterhub",
            "requests",
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
