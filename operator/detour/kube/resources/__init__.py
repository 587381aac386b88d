"""The custom resources of `detour.dev/v1alpha1`: what people write and what Detour answers in status.

The pydantic models here are the single source. From them come the CRDs (`schema`, `definitions`), the chart's copies
and the reference page (`output`, run with `python -m detour.kube.resources`), and the checking of what the API server
hands over (`detour.kube.translate`). A rule is stated once, in both of its languages: in CEL, for `kubectl apply` to
refuse with a sentence, and in Python, for objects that were stored before the rule existed (`rules`).
"""
