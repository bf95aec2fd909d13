-- ARGV: group, consumer, lease in milliseconds, TTL.
local group, consumer = ARGV[1], ARGV[2]
local g = load(group)
local found = g and maybe('XPENDING', KEYS[1], group, '-', '+', 256, consumer)
if not found then return {0, 1} end
local ids = {}
for i, it in ipairs(found) do ids[i] = it[1] end
if #ids > 0 then
  assign(group, '(returned)', ids, now_ms - tonumber(ARGV[3]))
  is_due_at(g, now_ms)
  save(group, g)
  wake()
end
local is_all = #ids < 256
if is_all then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, consumer) end
keep(ARGV[4])
return {#ids, is_all and 1 or 0}
