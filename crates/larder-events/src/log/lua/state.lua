local log = info(KEYS[1])
if not log.length then return {0, 0, '0-0', '0-0', 0, {}} end
local groups = {}
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name = named(flat).name
  local g = load(name)
  if g then
    local waits, consumers = redis.call('XPENDING', KEYS[1], name), {}
    for _, it in ipairs(waits[4] or {}) do
      consumers[#consumers + 1] = it[1]
      consumers[#consumers + 1] = it[2]
    end
    groups[#groups + 1] = {name, waits[1], num(g.read), num(g.lost), consumers}
  end
end
local first = log['first-entry']
return {log.length, log['entries-added'], first and first[1] or '0-0', log['last-generated-id'],
  redis.call('XLEN', KEYS[5]), groups}
