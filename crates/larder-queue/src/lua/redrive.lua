-- ARGV: how many.
local ids = redis.call('ZRANGE', KEYS[4], 0, tonumber(ARGV[2]) - 1)
for _, id in ipairs(ids) do
  changed = true
  redis.call('ZREM', KEYS[4], id)
  local j = load(id)
  if j then
    j.a, j.s, j.d, j.u, j.k = 0, 0, at, 0, ''
    place(id, j)
    save(id, j)
  else
    forget(id)
  end
end
wakes = placed
local reply = #ids
