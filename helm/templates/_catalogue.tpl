{{/*
What the services are: facts about the program, not choices of whoever deploys it. `reads` are the groups of settings that a
service reads (its `read(...)` in bridge/services), `probes` the port and paths of its probes, `surge` whether one more of it does
no harm. A new service is a new entry here, and one under `services` in values.yaml.
*/}}
{{- define "bridge.catalogue" -}}
dispatcher:
  steps: [[run, dispatcher]]
  reads: [KAFKA, SCHEMA, GATEWAY, DISPATCHER, MANAGEMENT, LOG, TRACING]
  ports: {management: 9090}
  probes: {port: management, live: /live, ready: /ready}
ingester:
  steps: [[run, ingester]]
  reads: [KAFKA, WEBHOOK, SCHEMA, MANAGEMENT, LOG, TRACING]
  ports: {management: 9090, webhook: 8080}
  probes: {port: management, live: /live, ready: /ready}
tracker:
  steps: [[run, tracker]]
  reads: [KAFKA, SCHEMA, TRACKER, MANAGEMENT, LOG, TRACING]
  ports: {management: 9090}
  probes: {port: management, live: /live, ready: /ready}
simulator:
  steps: [[simulator]]
  reads: []
  ports: {http: 8085}
  probes: {port: http, live: /live, ready: /live}
{{- end -}}

{{/* The generated facts about topics, rights and settings (helm/files/facts.yaml). */}}
{{- define "bridge.facts" -}}
{{ .Files.Get "files/facts.yaml" }}
{{- end -}}

{{/*
The enabled services, by name: the catalogue's entry, the defaults, the service's own values over them, and what follows from
all that: env, mounts, grace, and for a worker the partitions that bound its replicas. Everything else ranges over this.
*/}}
{{- define "bridge.services" -}}
{{- $facts := include "bridge.facts" . | fromYaml -}}
{{- range $name, $entry := include "bridge.catalogue" . | fromYaml -}}
{{- $service := mergeOverwrite (deepCopy $.Values.defaults) (deepCopy (index $.Values.services $name | default dict)) $entry -}}
{{- if $service.enabled -}}
{{- $_ := set $service "name" $name -}}
{{- $_ := set $service "worker" (index $facts.workers $name | default dict) -}}
{{- include "bridge.resolve" (dict "root" $ "facts" $facts "component" $service) }}
{{ dict $name $service | toYaml }}
{{ end -}}
{{- end -}}
{{- end -}}

{{/* The Job before an install or upgrade as such an entry; empty when there is nothing for it to do. */}}
{{- define "bridge.hook" -}}
{{- $facts := include "bridge.facts" . | fromYaml -}}
{{- $steps := list -}}
{{- $schemas := and .Values.schemas.register (include "bridge.registry" .) -}}
{{- if $schemas -}}{{- $steps = append $steps (list "schemas" "check") -}}{{- end -}}
{{- if eq .Values.topics.managedBy "hook" -}}
{{- $apply := list "topics" "apply" -}}
{{- if .Values.topics.replicationFactor -}}
{{- $apply = concat $apply (list "--replication-factor" (.Values.topics.replicationFactor | int | toString)) -}}
{{- end -}}
{{- $steps = append $steps $apply -}}
{{- end -}}
{{- if $schemas -}}{{- $steps = append $steps (list "schemas" "register") -}}{{- end -}}
{{- if $steps -}}
{{- $hook := mergeOverwrite (deepCopy .Values.defaults) (deepCopy .Values.hook) (dict "name" "hook" "steps" $steps "reads" (list "KAFKA" "SCHEMA" "LOG") "ports" dict) -}}
{{- include "bridge.resolve" (dict "root" $ "facts" $facts "component" $hook) -}}
{{ $hook | toYaml }}
{{- end -}}
{{- end -}}

{{- define "bridge.registry" -}}
{{- index (mergeOverwrite (deepCopy .Values.settings) .Values.hook.settings) "BRIDGE_SCHEMA_REGISTRY_URL" | default "" -}}
{{- end -}}

{{/* Adds to a component: env, its settings as text; mounts, its secrets and files by variable; grace, in seconds. */}}
{{- define "bridge.resolve" -}}
{{- $values := .root.Values -}}
{{- $component := .component -}}
{{- /* mergeOverwrite, since merge takes a false or an empty text for nothing, and lets the other one's value through. */ -}}
{{- $settings := mergeOverwrite (deepCopy $values.settings) $component.settings -}}
{{- $secrets := mergeOverwrite (deepCopy $values.secrets) $component.secrets -}}
{{- $files := mergeOverwrite (deepCopy $values.files) $component.files -}}
{{- $user := printf "%s-%s" (include "bridge.fullname" .root) (eq $component.name "hook" | ternary "topics" $component.name) -}}
{{- if and $values.strimzi.users.enabled (has "KAFKA" $component.reads) (has ($user | trimPrefix (printf "%s-" (include "bridge.fullname" .root))) $values.strimzi.users.parts) -}}
{{- if eq $values.strimzi.users.authentication "tls" -}}
{{- $_ := merge $files (dict "BRIDGE_KAFKA_SSL_CERT_FILE" (dict "existingSecret" $user "key" "user.crt") "BRIDGE_KAFKA_SSL_KEY_FILE" (dict "existingSecret" $user "key" "user.key")) -}}
{{- else -}}
{{- $_ := merge $settings (dict "BRIDGE_KAFKA_SASL_USERNAME" $user) -}}
{{- $_ := merge $secrets (dict "BRIDGE_KAFKA_SASL_PASSWORD" (dict "existingSecret" $user "key" "password")) -}}
{{- end -}}
{{- end -}}
{{- $env := dict -}}
{{- $mounts := dict -}}
{{- range $variable, $value := $settings -}}
{{- if or (has (regexReplaceAll "^BRIDGE_([A-Z]+)_.*$" $variable "${1}") $component.reads) (and (hasPrefix "SIMULATOR_" $variable) (eq $component.name "simulator")) -}}
{{- $_ := set $env $variable (include "bridge.text" $value) -}}
{{- end -}}
{{- end -}}
{{- range $variable, $source := $secrets -}}
{{- if has (regexReplaceAll "^BRIDGE_([A-Z]+)_.*$" $variable "${1}") $component.reads -}}
{{- $_ := set $mounts $variable $source -}}
{{- $_ := set $env (printf "%s_FILE" $variable) (printf "/etc/bridge/%s" $variable) -}}
{{- end -}}
{{- end -}}
{{- range $variable, $source := $files -}}
{{- if has (regexReplaceAll "^BRIDGE_([A-Z]+)_.*$" $variable "${1}") $component.reads -}}
{{- $_ := set $mounts $variable $source -}}
{{- $_ := set $env $variable (printf "/etc/bridge/%s" $variable) -}}
{{- end -}}
{{- end -}}
{{- if has "MANAGEMENT" $component.reads -}}
{{- $_ := set $env "BRIDGE_MANAGEMENT_LISTEN" (printf "%s:%d" $values.listenAddress (int $component.ports.management)) -}}
{{- end -}}
{{- if has "WEBHOOK" $component.reads -}}
{{- $_ := set $env "BRIDGE_WEBHOOK_LISTEN" (printf "%s:%d" $values.listenAddress (int $component.ports.webhook)) -}}
{{- end -}}
{{- if eq $component.name "simulator" -}}
{{- $_ := set $env "SIMULATOR_LISTEN" (printf "%s:%d" $values.listenAddress (int $component.ports.http)) -}}
{{- end -}}
{{- $_ := set $component "env" $env -}}
{{- $_ := set $component "mounts" $mounts -}}
{{- $_ := set $component "effective" (mergeOverwrite (deepCopy .facts.defaults) $env) -}}
{{- $_ := set $component "grace" (include "bridge.grace" $component | int) -}}
{{- end -}}

{{/* A value as the environment has it. Helm reads every number as floating, and would write a million as 1e+06. */}}
{{- define "bridge.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ printf "%.0f" . }}
{{- else if or (kindIs "map" .) (kindIs "slice" .) -}}{{ toJson . }}
{{- else -}}{{ toString . }}
{{- end -}}
{{- end -}}

{{/*
How long a stop may take: the longest that the component may wait for what it has begun, and half a minute to close. A worker ends
its calls and gives its partitions up within the rebalance time-out, and a call within the gateway's total time-out; the webhook
answers what it has taken within its two time-outs, after the pause before it stops.
*/}}
{{- define "bridge.grace" -}}
{{- $longest := 0.0 -}}
{{- if .worker -}}
{{- $longest = maxf $longest (float64 .effective.BRIDGE_KAFKA_REBALANCE_TIMEOUT_SECONDS) (float64 .effective.BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS) -}}
{{- end -}}
{{- if .ports.webhook -}}
{{- $longest = addf (include "bridge.drainSeconds" .) (float64 .effective.BRIDGE_WEBHOOK_READ_TIMEOUT_SECONDS) (float64 .effective.BRIDGE_WEBHOOK_PUBLISH_TIMEOUT_SECONDS) -}}
{{- end -}}
{{- maxf (float64 .minTerminationGracePeriodSeconds) (addf $longest 30.0) | ceil | int -}}
{{- end -}}

{{/* How long the webhook goes on after it was told to stop: until no proxy sends to it any more. */}}
{{- define "bridge.drainSeconds" -}}10{{- end -}}
