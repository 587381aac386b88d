"""XML documents from plain Python content, as all answers of Route 53 and STS are made."""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"

Content = Any  # str, int, bool, a mapping of elements, or a list of (element, content): XML has no better type


def document(root: str, content: Content, namespace: str = NAMESPACE) -> bytes:
    """Return `content` as the XML document whose outermost element is `root`."""
    element = ElementTree.Element(root, xmlns=namespace)
    _fill(element, content)
    body: bytes = ElementTree.tostring(element, encoding="utf-8", xml_declaration=True)
    return body


def _fill(element: ElementTree.Element, content: Content) -> None:
    if isinstance(content, Mapping | list):
        for name, inner in content.items() if isinstance(content, Mapping) else content:
            _fill(ElementTree.SubElement(element, name), inner)
    else:
        element.text = str(content).lower() if isinstance(content, bool) else str(content)
