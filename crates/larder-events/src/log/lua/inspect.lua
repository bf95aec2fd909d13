local log = info(KEYS[1])
if not log.length then return {} end
local dead = redis.call('XLEN', KEYS[5])
local shown = {'events', log.length, 'appended', log['entries-added'], 'last', log['last-generated-id'],
  'remembered', redis.call('HLEN', KEYS[3]), 'dead', dead}
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name = named(flat).name
  local g = load(name)
  if g then
    shown[#shown + 1] = 'group ' .. name
    shown[#shown + 1] = 'read ' .. num(g.read) .. ', lost ' .. num(g.lost)
    if g.due then
      shown[#shown + 1] = 'next lease of ' .. name .. ' ends_us'
      shown[#shown + 1] = num(g.due * 1000)
    end
    for _, it in ipairs(pending(name, 10)) do
      shown[#shown + 1] = 'pending ' .. it.id
      shown[#shown + 1] = it.owner .. ', ' .. num(it.count) .. ' times'
      shown[#shown + 1] = 'pending ' .. it.id .. ' delivered_us'
      shown[#shown + 1] = num(it.delivered * 1000)
    end
  end
end
return shown
