{{/* The pod of every component: services and Job. Takes root and component. All steps but the last run before it, one by one. */}}
{{- define "bridge.podSpec" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $fullname := include "bridge.fullname" $root -}}
serviceAccountName: {{ .serviceAccountName | default (include "bridge.serviceAccountName" $root) }}
automountServiceAccountToken: false
# Kubernetes would add a variable for each Service of the namespace, and the bridge refuses BRIDGE_… that is no setting of its own.
enableServiceLinks: false
securityContext: {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with initial $component.steps }}
initContainers:
  {{- range . }}
  - name: {{ join "-" (slice . 0 2) }}
    {{- include "bridge.container" (dict "root" $root "component" $component "args" .) | nindent 4 }}
  {{- end }}
{{- end }}
containers:
  - name: {{ $component.name }}
    {{- include "bridge.container" (dict "root" $root "component" $component "args" (last $component.steps)) | nindent 4 }}
    {{- with $component.ports }}
    ports:
      {{- range $port, $number := . }}
      - {name: {{ $port }}, containerPort: {{ $number }}, protocol: TCP}
      {{- end }}
    {{- end }}
    {{- with $component.probes }}
    {{- $live := dict "httpGet" (dict "path" .live "port" .port) }}
    {{- $ready := dict "httpGet" (dict "path" .ready "port" .port) }}
    startupProbe: {{- merge (dict) $live $component.startupProbe | toYaml | nindent 6 }}
    livenessProbe: {{- merge (dict) $live $component.livenessProbe | toYaml | nindent 6 }}
    readinessProbe: {{- merge (dict) $ready $component.readinessProbe | toYaml | nindent 6 }}
    {{- end }}
    {{- if $component.ports.webhook }}
    lifecycle:
      # Proxies learn later than the pod that it stops: until then it still answers.
      preStop: {sleep: {seconds: {{ include "bridge.drainSeconds" . }}}}
    {{- end }}
volumes:
  # The only place that a service writes to: Faust asks for a directory, though nothing of ours is kept in it.
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  {{- with $component.mounts }}
  - name: mounted
    projected:
      defaultMode: 0440
      sources:
        {{- range $variable, $source := . }}
        - {{ if $source.existingSecret }}secret{{ else }}configMap{{ end }}:
            name: {{ $source.existingSecret | default $source.existingConfigMap }}
            items: [{key: {{ $source.key | quote }}, path: {{ $variable }}}]
        {{- end }}
  {{- end }}
{{- with $component.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* What every container has but its name, ports and probes. Takes root, component and args. */}}
{{- define "bridge.container" -}}
image: {{ include "bridge.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ toJson .args }}
envFrom:
  - configMapRef: {name: {{ include "bridge.fullname" .root }}-{{ .component.name }}}
securityContext: {{- toYaml .root.Values.securityContext | nindent 2 }}
{{- with .component.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if .component.mounts }}
  - {name: mounted, mountPath: /etc/bridge, readOnly: true}
  {{- end }}
{{- end -}}

{{/* Without the chart's version: a chart that changes nothing in a pod restarts none. */}}
{{- define "bridge.podLabels" -}}
{{- include "bridge.selectorLabels" (dict "root" .root "name" .component.name) }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .component.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The ConfigMap of a component, as data: its settings without any secret. */}}
{{- define "bridge.environment" -}}
{{- range $variable, $text := .env }}
{{ $variable }}: {{ $text | quote }}
{{- end }}
{{- end -}}
