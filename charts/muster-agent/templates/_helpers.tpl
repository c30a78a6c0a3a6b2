{{- define "muster-agent.selector" -}}
app.kubernetes.io/name: muster-agent
{{- end }}

{{- define "muster-agent.labels" -}}
{{ include "muster-agent.selector" . }}
app.kubernetes.io/part-of: muster
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "muster-agent.tokenSecret" -}}
{{- .Values.tokenSecretName | default "muster-join-token" -}}
{{- end }}
