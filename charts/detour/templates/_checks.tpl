{{/* What the schema cannot say, or not in a sentence that helps. The Deployment includes this first. */}}

{{- define "detour.checks" -}}
{{- $owner := .Values.owner -}}
{{- $isProbe := eq .Values.mode "probe" -}}
{{- if and $isProbe (not .Values.vantage.name) -}}
{{- fail "vantage.name is missing: name the place that the probe checks from, such as --set vantage.name=gcp-europe-west3. Its Vantage object bears that name." -}}
{{- end -}}
{{- if and $isProbe .Values.probe.kubeconfigSecret .Values.probe.grant -}}
{{- fail "probe.kubeconfigSecret is for a probe in another cluster than the operator's, whose Vantage and permissions a release in that cluster makes: set probe.grant=false here, and probe.deploy=false there." -}}
{{- end -}}
{{- if and $isProbe (not .Values.probe.deploy) (not .Values.probe.grant) -}}
{{- fail "probe.deploy and probe.grant are both false, so there is nothing to install: grant in the operator's cluster, deploy where the probe is to run." -}}
{{- end -}}
{{- if and (not $isProbe) (not $owner) -}}
{{- fail "owner is missing: name this installation, such as --set owner=production. The name stands in every ledger and marker that Detour writes into DNS; it must never change, and no two installations that write the same zones may share it." -}}
{{- end -}}
{{- if and $owner (not (regexMatch "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" $owner)) -}}
{{- fail (printf "owner must be a DNS label, not %q: 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end." $owner) -}}
{{- end -}}
{{- if and .Values.site.enabled (lt (int .Values.site.takeOverAfter) (mul 3 (int .Values.site.renewEvery))) -}}
{{- fail (printf "site.takeOverAfter is %d s, less than three times site.renewEvery (%d s): a site that lives would be taken for dead." (int .Values.site.takeOverAfter) (int .Values.site.renewEvery)) -}}
{{- end -}}
{{- if and .Values.site.enabled (not .Values.site.name) -}}
{{- fail "site.name is missing: with site.enabled=true each cluster needs a name of its own, such as --set site.name=eu-west." -}}
{{- end -}}
{{- $ipv4 := "[0-9]{1,3}([.][0-9]{1,3}){3}" -}}
{{- $ipv6 := "[0-9a-fA-F:]*:[0-9a-fA-F:.]*" -}}
{{- range $kind, $networks := dict "allowNetworks" .Values.allowNetworks "denyNetworks" .Values.denyNetworks "userReports.proxies" .Values.userReports.proxies -}}
{{- range $networks -}}
{{- if not (regexMatch (printf "^(%s(/([0-9]|[12][0-9]|3[0-2]))?|%s(/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?)$" $ipv4 $ipv6) .) -}}
{{- fail (printf "%s: %q is no network: write it like 10.0.0.0/8 or fd00::/8." $kind .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.permittedEndpoints -}}
{{- if not (regexMatch (printf "^https?://([A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*|%s/([0-9]|[12][0-9]|3[0-2])|\\[%s(/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?\\])(:([0-9]{1,5}|[*]))?$" $ipv4 $ipv6) .) -}}
{{- fail (printf "permittedEndpoints: %q is no endpoint: write it like https://dns.example.com:8443, with a network instead of the host or * instead of the port where that is meant." .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.resolver (not (regexMatch (printf "^(%s(:[0-9]{1,5})?|\\[%s\\](:[0-9]{1,5})?)$" $ipv4 $ipv6) .Values.resolver)) -}}
{{- fail (printf "resolver: %q is no address:port: write it like 10.0.0.53:53 or [fd00::53]:53, a name would need a resolver itself." .Values.resolver) -}}
{{- end -}}
{{- if not (regexMatch (printf "^(%s|\\[%s\\])$" $ipv4 $ipv6) .Values.listenHost) -}}
{{- fail (printf "listenHost: %q is no address: write it like 0.0.0.0 or [::], without a port." .Values.listenHost) -}}
{{- end -}}
{{- if and .Values.userReports.enabled .Values.sharding.enabled -}}
{{- fail "userReports.enabled and sharding.enabled are both true: each replica would hear of a part of the users alone. Switch one of them off." -}}
{{- end -}}
{{- $watched := .Values.namespaces -}}
{{- if $watched -}}
{{- range $kind, $entries := dict "credentials.secrets" .Values.credentials.secrets "caBundles" .Values.caBundles -}}
{{- range $entries -}}
{{- if not (has .namespace $watched) -}}
{{- fail (printf "%s names namespace %q, which namespaces leaves out, so nothing there would ever be read: add it to namespaces, or remove the entry." $kind .namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
