-- Health of a DNSZone for Argo CD (resource.customizations.health.detour.dev_DNSZone in argocd-cm).
local status = obj.status or {}
if status.state == nil or status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Detour has not looked at this version yet" }
end
local holds, why = {}, {}
for _, condition in ipairs(status.conditions or {}) do
  holds[condition.type] = condition.status == "True"
  why[condition.type] = condition.message
end
if holds.Stalled then
  return { status = "Degraded", message = status.state .. ": " .. (why.Stalled or "") }
elseif holds.Held then
  return { status = "Degraded", message = status.state .. ": " .. (why.Held or "") }
elseif holds.Ready then
  return { status = "Healthy", message = status.state .. ": " .. (why.Ready or "") }
end
return { status = "Progressing", message = status.state .. ": " .. (why.Ready or "") }
