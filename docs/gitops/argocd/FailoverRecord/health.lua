-- Health of a FailoverRecord for Argo CD (resource.customizations.health.detour.dev_FailoverRecord in argocd-cm).
local status = obj.status or {}
if status.state == nil or status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Detour has not looked at this version yet" }
end
local holds = {}
for _, condition in ipairs(status.conditions or {}) do
  holds[condition.type] = condition.status == "True"
end
local message = status.state .. ": " .. (status.message or "")
if status.state == "Suspended" then
  return { status = "Suspended", message = message }
elseif holds.Stalled then
  return { status = "Degraded", message = message }
elseif holds.Ready then
  return { status = "Healthy", message = message }
end
return { status = "Progressing", message = message }
