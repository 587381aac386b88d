{{/* Access rules: exactly the calls that the operator makes. */}}

{{/* What it does with records and zones, in every namespace or in the watched ones. */}}
{{- define "detour.objectRules" -}}
- apiGroups: [detour.dev]
  resources: [failoverrecords, dnszones]
  verbs: [get, list, watch]
- apiGroups: [detour.dev]
  resources: [externalverdicts, overrides]
  verbs: [get, list, watch]
# The finalizer of deletionPolicy: Delete, also at the zones of such records, and approvals that were used.
- apiGroups: [detour.dev]
  resources: [failoverrecords, dnszones]
  verbs: [patch]
- apiGroups: [detour.dev]
  resources: [failoverrecords/status, dnszones/status, overrides/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- if .Values.credentials.dangerouslyReadAllSecrets }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}
{{- end -}}

{{- define "detour.subject" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "detour.serviceAccountName" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* A Role and its binding. Takes root, name, namespace, rules (YAML). */}}
{{- define "detour.boundRole" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .name }}
  namespace: {{ .namespace | quote }}
  labels:
    {{- include "detour.labels" .root | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  namespace: {{ .namespace | quote }}
  labels:
    {{- include "detour.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
{{ include "detour.subject" .root }}
{{- end -}}

{{/* Roles to get objects by name, one for each namespace in entries. Takes root, name, resource, entries. */}}
{{- define "detour.namedObjectRoles" }}
{{- $named := dict -}}
{{- range .entries -}}
{{- $_ := set $named .namespace (concat (default list (get $named .namespace)) .names | uniq | sortAlpha) -}}
{{- end -}}
{{- $context := . -}}
{{- range $namespace, $names := $named -}}
{{- $rule := dict "apiGroups" (list "") "resources" (list $context.resource) "resourceNames" $names "verbs" (list "get") -}}
{{- include "detour.boundRole" (dict "root" $context.root "name" $context.name "namespace" $namespace "rules" (toYaml (list $rule))) }}
{{- end -}}
{{- end -}}
