{{- define "muster.selector" -}}
app.kubernetes.io/name: muster-manager
{{- end }}

{{- define "muster.labels" -}}
{{ include "muster.selector" . }}
app.kubernetes.io/part-of: muster
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "muster.scheme" -}}
{{- ternary "https" "http" (ne .Values.tls.secretName "") -}}
{{- end }}

{{- define "muster.url" -}}
{{- .Values.externalURL | default (printf "%s://muster.%s.svc:%d" (include "muster.scheme" .) .Release.Namespace (int .Values.service.port)) -}}
{{- end }}
