"""Who we are to the API server: a kubeconfig file, or the service account of our pod."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import kopf
    from kubernetes import client


def configuration(kubeconfig: str | None, context: str | None = None) -> "client.Configuration":
    """Read the connection to the API server from `kubeconfig` (and a context there), or from the pod's service account.

    Raises kubernetes.config.ConfigException where neither can be used.
    """
    from kubernetes import client, config  # noqa: PLC0415 - a second of imports, for who logs in alone

    found = client.Configuration()
    if kubeconfig is not None:
        config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=found)  # type: ignore[no-untyped-call]  # so
    else:
        config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]  # upstream
    found.retries = False
    return found


def connection_info(kubeconfig: str | None) -> "kopf.ConnectionInfo":
    """Return the same connection in kopf's words."""
    import kopf  # noqa: PLC0415 - as above

    found = configuration(kubeconfig)
    token = found.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
    return kopf.ConnectionInfo(
        server=found.host,
        ca_path=found.ssl_ca_cert,
        insecure=not found.verify_ssl,
        token=token.removeprefix("Bearer ").strip() or None,
        certificate_path=found.cert_file,
        private_key_path=found.key_file,
    )
