"""Metadata of the distribution; the settings of the tools stand in ``pyproject.toml``."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def read_version() -> str:
    """Return the version without importing the package, whose dependencies may be absent."""
    text = (ROOT / "mlflow_smwatch" / "_version.py").read_text(encoding="utf-8")
    version: str = re.findall(r'^__version__ = "([^"]+)"$', text, flags=re.MULTILINE)[0]
    return version


def read_long_description() -> str:
    """Return the README, or nothing where only the package was copied."""
    readme = ROOT / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


# docs/dependencies.md says why each of these is here, and why its range is what it is.
INSTALL_REQUIRES = [
    "mlflow-skinny>=3,<4",
    "sqlalchemy>=2,<3",
    "alembic>=1.10.1,<2",
    "boto3>=1.42.20,<2",
    "click>=8.1.3,!=8.2.0,!=8.2.1,<9",
    "tqdm>=4.60,<5",
    "google-re2>=1.1,<2",
    "regex>=2024.4.16",
    "networkx>=3.2,<4",
    "python-json-logger>=3.1,<5",
    "tomli>=2,<3; python_version < '3.11'",
]

EXTRAS_REQUIRE = {
    "sagemaker": ["sagemaker>=2.200,<4", "sagemaker-experiments>=0.1.45", "sagemaker-mlflow>=0.1"],
    "postgresql": ["psycopg2-binary>=2.9.5,<3", "psycopg[binary]>=3.1,<4"],
    "mysql": ["mysqlclient>=2.2,<3", "pymysql>=1.1,<2"],
    "demo": [
        "mlflow>=3.12,<4",
        "moto[s3]>=5.2.5,<5.3",
        "flask>=3,<4",
        "flask-cors>=4,<7",
        "werkzeug>=3,<4",
        "scikit-learn>=1.4,<2",
        "numpy>=1.26,<3",
        "joblib>=1.3,<2",
        "psutil>=5.9,<8",
    ],
    "dask": ["distributed>=2024.8,<2027"],
    "alerts": ["apprise>=1.9,<3"],
    "prometheus": ["prometheus-client>=0.20,<1"],
    "otlp": [
        "opentelemetry-sdk>=1.39,<2",
        "opentelemetry-exporter-otlp-proto-grpc>=1.39,<2",
        "opentelemetry-exporter-otlp-proto-http>=1.39,<2",
    ],
    "test": [
        "distributed>=2024.8,<2027",
        "apprise>=1.9,<3",
        "prometheus-client>=0.20,<1",
        "opentelemetry-sdk>=1.39,<2",
        "opentelemetry-exporter-otlp-proto-grpc>=1.39,<2",
        "opentelemetry-exporter-otlp-proto-http>=1.39,<2",
        "pytest>=8.2,<10",
        "pytest-xdist>=3.6,<4",
        "coverage>=7.10,<8",
        "hypothesis>=6.100,<7",
        "markdown-it-py>=3,<5",
        "playwright>=1.50,<2",
        "psycopg2-binary>=2.9.5,<3",
        "psycopg[binary]>=3.1,<4",
        "sagemaker-core>=2.20,<3",
        "sagemaker-train>=1.20,<2",
        "sagemaker-experiments>=0.1.45",
        "sagemaker-mlflow>=0.1",
        "openapi-spec-validator>=0.5,<1",
        "ruff>=0.17.5,<0.18",
        "mypy>=2.4,<3",
        "types-networkx",
        "types-psutil",
        "types-regex",
        "types-tqdm",
        "import-linter>=2.12,<3",
        "build>=1.2,<2",
    ],
    "docs": ["sphinx>=8,<10", "myst-parser>=4,<6"],
}

SQL_SCHEMES = (
    "smwatch+sqlite",
    "smwatch+sqlite+pysqlite",
    "smwatch+postgresql",
    "smwatch+postgresql+psycopg",
    "smwatch+postgresql+psycopg2",
    "smwatch+mysql",
    "smwatch+mysql+mysqldb",
    "smwatch+mysql+pymysql",
)
ARTIFACT_SCHEMES = ("smwatch+file", "smwatch+s3", "smwatch+gs", "smwatch+wasbs")
PLUGINS = "mlflow_smwatch.plugins"

ENTRY_POINTS = {
    "console_scripts": ["smwatch = mlflow_smwatch.cli:main"],
    "mlflow.tracking_store": [f"{s} = {PLUGINS}.stores:tracking_store" for s in SQL_SCHEMES],
    "mlflow.model_registry_store": [f"{s} = {PLUGINS}.stores:registry_store" for s in SQL_SCHEMES],
    "mlflow.workspace_provider": [f"{s} = {PLUGINS}.stores:workspace_store" for s in SQL_SCHEMES],
    "mlflow.artifact_repository": [
        f"{s} = {PLUGINS}.artifact_repository:overlay_repository" for s in ARTIFACT_SCHEMES
    ],
    "mlflow.run_context_provider": [f"smwatch = {PLUGINS}.run_context:SageMakerRunContext"],
    "mlflow.app": [f"smwatch = {PLUGINS}.app:create_app"],
}

setup(
    name="mlflow-smwatch",
    version=read_version(),
    description="Mirrors Amazon SageMaker jobs, their metrics, logs and lineage into MLflow runs.",
    long_description=read_long_description(),
    long_description_content_type="text/markdown",
    author="The mlflow-smwatch maintainers",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["mlflow", "sagemaker", "aws", "cloudwatch", "experiment tracking", "lineage"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: System :: Monitoring",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=["mlflow_smwatch", "mlflow_smwatch.*"]),
    package_data={
        "mlflow_smwatch": ["py.typed"],
        "mlflow_smwatch.demo": ["recordings/*.json.gz"],
    },
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    entry_points=ENTRY_POINTS,
    zip_safe=False,
)
