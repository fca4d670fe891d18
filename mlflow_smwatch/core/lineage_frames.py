"""Lineage for the data tools of others: networkx and pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_smwatch.core.errors import StopError

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

    from mlflow_smwatch.core.lineage_graph import LineageGraph

_COLUMNS = ("source", "target", "type", "origin")


def to_networkx(graph: LineageGraph) -> nx.MultiDiGraph[str]:
    """Return a graph for networkx.

    Parameters
    ----------
    graph
        Any lineage graph.

    Returns
    -------
    networkx.MultiDiGraph
        Nodes are ids, with attributes ``kind``, ``name``, ``run_id`` and ``aliases``; edges have
        ``type`` and ``origin``; the graph has ``root``.
    """
    import networkx as nx

    result: nx.MultiDiGraph[str] = nx.MultiDiGraph(root=graph.root)
    attributes = ("kind", "name", "run_id", "aliases")
    for node in graph.nodes:
        result.add_node(node.id, **{each: getattr(node, each) for each in attributes})
    for edge in graph.edges:
        result.add_edge(edge.source, edge.target, type=edge.type, origin=edge.origin)
    return result


def to_dataframe(graph: LineageGraph) -> pd.DataFrame:
    """Return the edges of a graph for pandas.

    Parameters
    ----------
    graph
        Any lineage graph.

    Returns
    -------
    pandas.DataFrame
        Columns ``source``, ``target``, ``type`` and ``origin``; a row for each edge.

    Raises
    ------
    StopError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        message = "a data frame needs pandas: pip install pandas"
        raise StopError(message) from error
    rows = [tuple(getattr(edge, column) for column in _COLUMNS) for edge in graph.edges]
    return pd.DataFrame(rows, columns=list(_COLUMNS))
