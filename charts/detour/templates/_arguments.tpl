{{/* The command line, by what runs. */}}

{{- define "detour.operatorArguments" -}}
- run
- {{ printf "--owner=%s" .Values.owner | quote }}
- {{ printf "--lease=%s/%s" .Release.Namespace (include "detour.fullname" .) | quote }}
{{- if .Values.sharding.enabled }}
- --sharding
{{- end }}
{{- with .Values.vantage.name }}
- {{ printf "--vantage=%s" . | quote }}
{{- end }}
{{- if not .Values.vantage.checks }}
- --no-checks
{{- end }}
{{- with .Values.site.name }}
- {{ printf "--site=%s" . | quote }}
{{- end }}
{{- if .Values.site.enabled }}
- {{ printf "--site-rank=%d" (int .Values.site.rank) | quote }}
- {{ printf "--renew-every=%d" (int .Values.site.renewEvery) | quote }}
- {{ printf "--take-over-after=%d" (int .Values.site.takeOverAfter) | quote }}
{{- end }}
{{- with .Values.permittedEndpoints }}
- {{ printf "--permitted-endpoints=%s" (join "," .) | quote }}
{{- end }}
- {{ printf "--regions-in-service=%d" (int .Values.safety.minRegionsInService) | quote }}
- {{ printf "--record-series=%d" (int .Values.metrics.recordSeries) | quote }}
{{- if .Values.overrides.verifyRequesters }}
- --requesters-verified
{{- end }}
{{- with .Values.audit }}
- {{ printf "--audit=%s" . | quote }}
{{- end }}
{{- $feeds := list }}
{{- range $cloud, $url := .Values.signals.statusFeeds }}
{{- if $url }}{{ $feeds = append $feeds (printf "%s=%s" $cloud $url) }}{{ end }}
{{- end }}
{{- with $feeds }}
- {{ printf "--status-feeds=%s" (join "," .) | quote }}
{{- end }}
- {{ printf "--read-signals-every=%d" (int .Values.signals.readEvery) | quote }}
{{- with .Values.prometheusServers }}
{{- $servers := list }}
{{- range . }}{{ $servers = append $servers (omit . "tokenSecret") }}{{ end }}
- {{ printf "--prometheus-servers=%s" (toJson $servers) | quote }}
{{- end }}
{{- if include "detour.prometheusTokens" . }}
- --prometheus-tokens=/etc/detour-prometheus
{{- end }}
{{- if .Values.userReports.enabled }}
- {{ printf "--reports-listen=%s:8081" .Values.listenHost | quote }}
{{- with .Values.userReports.proxies }}
- {{ printf "--reports-proxies=%s" (join "," .) | quote }}
{{- end }}
{{- end }}
- {{ printf "--audit-every=%d" (int .Values.auditEvery) | quote }}
- {{ printf "--read-every=%d" (int .Values.readEvery) | quote }}
- {{ printf "--questions-per-day=%d" (int64 .Values.verification.questionsPerDay) | quote }}
{{- if .Values.dryRun }}
- --dry-run
{{- end }}
{{- end -}}

{{- define "detour.probeArguments" -}}
- probe
- {{ printf "--vantage=%s" .Values.vantage.name | quote }}
- {{ printf "--lease=%s/%s" (include "detour.leaseNamespace" .) (include "detour.leaseName" .) | quote }}
{{- if include "detour.kubeconfigSecret" . }}
- --kubeconfig=/etc/detour/config
{{- end }}
{{- end -}}

{{/* What both have, as both make checks. */}}
{{- define "detour.checkingArguments" -}}
{{- with .Values.namespaces }}
- {{ printf "--namespaces=%s" (join "," (uniq .)) | quote }}
{{- end }}
{{- with .Values.resolver }}
- {{ printf "--resolver=%s" . | quote }}
{{- end }}
{{- with .Values.allowNetworks }}
- {{ printf "--allow-networks=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.denyNetworks }}
- {{ printf "--deny-networks=%s" (join "," .) | quote }}
{{- end }}
- {{ printf "--checks-in-flight=%d" (int .Values.checksInFlight) | quote }}
{{- with .Values.referenceChecks }}
- {{ printf "--reference-checks=%s" (join "," .) | quote }}
{{- end }}
- {{ printf "--listen=%s:8080" .Values.listenHost | quote }}
- {{ printf "--log-format=%s" .Values.logFormat | quote }}
- {{ printf "--log-level=%s" .Values.logLevel | quote }}
{{- end -}}
