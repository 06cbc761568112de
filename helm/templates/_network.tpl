{{/* Whom a component calls, each with its ports, from the settings that it has. Takes root and component. */}}
{{- define "bridge.egress" -}}
{{- $env := .component.env -}}
{{- $places := dict -}}
{{- if has "KAFKA" .component.reads -}}
{{- $ports := list -}}
{{- range splitList "," (index $env "BRIDGE_KAFKA_BOOTSTRAP_SERVERS" | default "") -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | default "9092" | int) -}}
{{- end -}}
{{- $_ := set $places "kafka" (concat $ports .root.Values.networkPolicy.kafkaPorts) -}}
{{- end -}}
{{- $called := dict "gateway" (list "BRIDGE_GATEWAY_BASE_URL" "BRIDGE_GATEWAY_TOKEN_URL" "BRIDGE_WEBHOOK_JWKS_URL") "registry" (list "BRIDGE_SCHEMA_REGISTRY_URL") "tracing" (list "BRIDGE_TRACING_ENDPOINT") "webhook" (list "SIMULATOR_WEBHOOK_URL") -}}
{{- range $place, $variables := $called -}}
{{- $ports := list -}}
{{- range $variables -}}
{{- with index $env . -}}{{- $ports = append $ports (include "bridge.portOf" . | int) -}}{{- end -}}
{{- end -}}
{{- if and (eq $place "gateway") (eq (index $env "BRIDGE_GATEWAY_PROFILE" | default "") "production") -}}{{- $ports = append $ports 443 -}}{{- end -}}
{{- with $ports -}}{{- $_ := set $places $place . -}}{{- end -}}
{{- end -}}
{{ toYaml $places }}
{{- end -}}

{{/* The port of a URL. */}}
{{- define "bridge.portOf" -}}
{{- regexReplaceAll "^[a-z]+://[^/:]*:([0-9]+).*$|^https://.*$|^http://.*$" . "${1}" | default (hasPrefix "https:" . | ternary 443 80) -}}
{{- end -}}
