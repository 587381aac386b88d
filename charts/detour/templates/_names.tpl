{{/* Names and labels that several objects share. */}}

{{- define "detour.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "detour.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "detour.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "detour.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-scoped objects bear the namespace as well: releases of one name may live in several. */}}
{{- define "detour.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "detour.fullname" .) -}}
{{- end -}}

{{- define "detour.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "detour.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Where the operator that a probe reports to listens for signs of life, and by which name. */}}
{{- define "detour.leaseNamespace" -}}
{{- default .Release.Namespace .Values.probe.operatorNamespace -}}
{{- end -}}

{{/* Not empty where the release makes a pod: a probe's may make its permissions alone. */}}
{{- define "detour.hasPod" -}}
{{- if or (eq .Values.mode "operator") .Values.probe.deploy -}}yes{{- end -}}
{{- end -}}

{{/* With which Secret a probe logs in to the operator's cluster, empty where it is this one. */}}
{{- define "detour.kubeconfigSecret" -}}
{{- if eq .Values.mode "probe" -}}{{- .Values.probe.kubeconfigSecret -}}{{- end -}}
{{- end -}}

{{- define "detour.leaseName" -}}
{{- printf "vantage-%s" .Values.vantage.name -}}
{{- end -}}

{{- define "detour.selectorLabels" -}}
app.kubernetes.io/name: {{ include "detour.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "detour.labels" -}}
{{- $own := include "detour.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" (default .Chart.AppVersion .Values.image.tag | replace "+" "_" | trunc 63) -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63) -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.commonLabels) $own) -}}
{{- end -}}

{{- define "detour.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The tokens of Prometheus servers, as sources of a projected volume; nothing where there are none. */}}
{{- define "detour.prometheusTokens" -}}
{{- if eq .Values.mode "operator" }}
{{- range .Values.prometheusServers }}
{{- $server := .name }}
{{- with .tokenSecret }}
- secret:
    name: {{ .name | quote }}
    items:
      - key: {{ .key | quote }}
        path: {{ $server | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Not empty where users' reports are taken. */}}
{{- define "detour.takesReports" -}}
{{- if and (eq .Values.mode "operator") .Values.userReports.enabled }}yes{{ end }}
{{- end -}}
