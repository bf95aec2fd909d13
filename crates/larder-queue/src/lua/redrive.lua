-- ARGV: how many.
local ids = redis.call('ZRANGE', KEYS[5], 0, tonumber(ARGV[13]) - 1)
for _, id in ipairs(ids) do
  changed = true
  redis.call('ZREM', KEYS[5], id)
  local j = load(id)
  if j then
    j.a, j.s, j.d, j.u, j.k = 0, 0, at, '-', ''
    place(id, j)
    save(id, j)
  end
end
if changed then keep() end
if placed then wake() end
return #ids
