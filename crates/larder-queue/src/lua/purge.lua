-- ARGV: a part of the record, and how many. Tokens of groups stay: they go with their last job.
local band, many = ARGV[13], tonumber(ARGV[14])
local ids = {}
if band == 'group' then
  for i, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[4], '[w', '(x', 'LIMIT', 0, many)) do
    ids[i] = string.sub(member, string.find(member, '%z') + 18)
  end
elseif band == 'dead' then
  ids = redis.call('ZRANGE', KEYS[5], 0, many - 1)
elseif band == 'done' then
  ids = redis.call('ZRANGE', KEYS[6], 0, many - 1)
else
  local ranges = {
    ready = {'-inf', '(0'}, scheduled = {'0', '(' .. num(LEASED)}, leased = {num(LEASED), '+inf'},
  }
  local range = ranges[band]
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], range[1], range[2], 'LIMIT', 0, many)) do
    if string.byte(id, 1) ~= 0 then ids[#ids + 1] = id end
  end
end
for _, id in ipairs(ids) do
  changed = true
  if band == 'done' then
    redis.call('ZREM', KEYS[6], id)
  else
    local j = load(id)
    if j then
      leave(id, j)
    else
      redis.call('ZREM', KEYS[3], id)
    end
    redis.call('ZREM', KEYS[5], id)
    forget(id)
  end
end
if changed then keep() end
if placed or changed and tonumber(ARGV[5]) > 0 then wake() end
return #ids
