{{/*
What cannot work is refused before anything reaches the cluster: all of it at once, each as a sentence with the value to change.
values.schema.json has refused wrong keys and types by then.
*/}}
{{- define "bridge.refuse" -}}
{{- $problems := list -}}
{{- range $name, $service := include "bridge.services" . | fromYaml -}}
{{- range include "bridge.problems" (dict "root" $ "service" $service) | fromYamlArray -}}
{{- $problems = append $problems (printf "services.%s%s" $name .) -}}
{{- end -}}
{{- end -}}
{{- with include "bridge.hook" . | fromYaml -}}
{{- range include "bridge.lacking" . | fromYamlArray -}}
{{- $problems = append $problems (printf "hook: %s" (replace "services.<name>" "hook" .)) -}}
{{- end -}}
{{- end -}}
{{- with .Values.strimzi -}}
{{- if and (or (eq $.Values.topics.managedBy "strimzi") .users.enabled) (not .cluster) -}}
{{- $problems = append $problems "strimzi.cluster: name the Kafka object that topics or users are for" -}}
{{- end -}}
{{- if and .users.enabled (has "topics" .users.parts) (eq $.Values.topics.managedBy "hook") -}}
{{- $problems = append $problems "topics.managedBy: the Job runs before the release's KafkaUser `topics` exists; let Strimzi make the topics too (strimzi), or leave `topics` out of strimzi.users.parts and give the Job a user in hook.settings and hook.secrets" -}}
{{- end -}}
{{- end -}}
{{- with .Values.webhook -}}
{{- if and .ingress.enabled (not .ingress.hosts) -}}
{{- $problems = append $problems "webhook.ingress.hosts: name at least one host; without, the Ingress would answer for all of them" -}}
{{- end -}}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) -}}
{{- $problems = append $problems "webhook.httpRoute.parentRefs: name the Gateway that the route belongs to" -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values cannot be used:\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}

{{/* The problems of one service as a YAML list; each goes on from "services.<name>". */}}
{{- define "bridge.problems" -}}
{{- $service := .service -}}
{{- $env := $service.env -}}
{{- $scaling := $service.autoscaling -}}
{{- $problems := list -}}
{{- with $service.worker -}}
{{- $why := printf "%s has %d partitions, and a worker without one does nothing" (first .topics) (int .partitions) -}}
{{- if eq $scaling.type "none" -}}
{{- if gt (int $service.replicas) (int .partitions) -}}
{{- $problems = append $problems (printf ".replicas is %d: %s; at most %d" (int $service.replicas) $why (int .partitions)) -}}
{{- end -}}
{{- else if gt (int $scaling.maxReplicas) (int .partitions) -}}
{{- $problems = append $problems (printf ".autoscaling.maxReplicas is %d: %s; at most %d" (int $scaling.maxReplicas) $why (int .partitions)) -}}
{{- end -}}
{{- if and (eq $service.strategy.type "RollingUpdate") (ne ($service.strategy.rollingUpdate.maxSurge | toString) "0") -}}
{{- $problems = append $problems ".strategy.rollingUpdate.maxSurge: must be 0 for a worker; one more than replicas could be one more than there are partitions" -}}
{{- end -}}
{{- if ge (float64 $service.effective.BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS) (float64 $service.effective.BRIDGE_KAFKA_REBALANCE_TIMEOUT_SECONDS) -}}
{{- $problems = append $problems (printf ": BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS is %v and BRIDGE_KAFKA_REBALANCE_TIMEOUT_SECONDS %v: a call must end before its worker is put out of the group; make the first shorter" $service.effective.BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS $service.effective.BRIDGE_KAFKA_REBALANCE_TIMEOUT_SECONDS) -}}
{{- end -}}
{{- end -}}
{{- if ne $scaling.type "none" -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- $problems = append $problems (printf ".autoscaling: minReplicas %d is more than maxReplicas %d" (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if and (eq $scaling.type "keda") (not $service.worker) (not $scaling.keda.triggers) -}}
{{- $problems = append $problems ".autoscaling.keda.triggers: needed, since this service reads no topic whose lag could tell" -}}
{{- end -}}
{{- end -}}
{{- range include "bridge.lacking" $service | fromYamlArray -}}
{{- $problems = append $problems (printf ": %s" .) -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{/* The settings that a service cannot start without, as docs/settings.md tells them: those it lacks, a sentence each. */}}
{{- define "bridge.lacking" -}}
{{- $env := .env -}}
{{- $needed := dict -}}
{{- if has "KAFKA" .reads -}}
{{- $_ := set $needed "BRIDGE_KAFKA_BOOTSTRAP_SERVERS" "settings" -}}
{{- if hasPrefix "SASL" (index $env "BRIDGE_KAFKA_SECURITY_PROTOCOL" | default "") -}}
{{- $_ := set $needed "BRIDGE_KAFKA_SASL_USERNAME" "settings" -}}
{{- $_ := set $needed "BRIDGE_KAFKA_SASL_PASSWORD_FILE" "secrets" -}}
{{- end -}}
{{- end -}}
{{- if has "GATEWAY" .reads -}}
{{- $_ := set $needed "BRIDGE_GATEWAY_CLIENT_ID" "settings" -}}
{{- $_ := set $needed "BRIDGE_GATEWAY_CLIENT_SECRET_FILE" "secrets" -}}
{{- if ne (index $env "BRIDGE_GATEWAY_PROFILE" | default "") "production" -}}
{{- $_ := set $needed "BRIDGE_GATEWAY_BASE_URL" "settings" -}}
{{- end -}}
{{- end -}}
{{- if has "WEBHOOK" .reads -}}
{{- if eq .effective.BRIDGE_WEBHOOK_AUTH "basic" -}}
{{- $_ := set $needed "BRIDGE_WEBHOOK_USERNAME" "settings" -}}
{{- $_ := set $needed "BRIDGE_WEBHOOK_PASSWORD_FILE" "secrets" -}}
{{- else if eq .effective.BRIDGE_WEBHOOK_AUTH "bearer" -}}
{{- $_ := set $needed "BRIDGE_WEBHOOK_ISSUER" "settings" -}}
{{- $_ := set $needed "BRIDGE_WEBHOOK_AUDIENCE" "settings" -}}
{{- if not (index $env "BRIDGE_WEBHOOK_JWKS_FILE") -}}
{{- $_ := set $needed "BRIDGE_WEBHOOK_JWKS_URL" "settings" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $lacking := list -}}
{{- range $variable, $where := $needed -}}
{{- if not (index $env $variable) -}}
{{- $lacking = append $lacking (printf "%s is needed: set it in %s or services.<name>.%s" (eq $where "secrets" | ternary (trimSuffix "_FILE" $variable) $variable) $where $where) -}}
{{- end -}}
{{- end -}}
{{- toYaml $lacking -}}
{{- end -}}
