-- ARGV: a part of the record, how many, the score to begin with ('' for the first), how many of that score
-- to leave out, and in groups the member to begin behind. Answers whether there may be more, and the members.
local band, many, from, seen, after = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
if redis.call('HEXISTS', KEYS[1], '') == 0 then return {0, {}} end

local members = {}
if band == 'group' then
  local low = after == '' and '[w' or '(' .. after
  for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[3], low, '(x', 'LIMIT', 0, many)) do
    members[#members + 1] = {member, '0', string.sub(member, string.find(member, '%z') + 18)}
  end
else
  local bands = {
    ready = {KEYS[2], '-inf', '(0'}, scheduled = {KEYS[2], 0, '(4503599627370496'},
    leased = {KEYS[2], 4503599627370496, '(+inf'}, dead = {KEYS[4], '-inf', '+inf'},
    done = {KEYS[5], '-inf', '+inf'},
  }
  local range = bands[band]
  local low = from == '' and range[2] or from
  local found = redis.call('ZRANGEBYSCORE', range[1], low, range[3], 'WITHSCORES', 'LIMIT', num(seen), many)
  for i = 1, #found, 2 do members[#members + 1] = {found[i], num(tonumber(found[i + 1])), found[i]} end
end

-- A page has a megabyte of bodies, unless one job has more.
local listed, bytes, has_more = {}, 0, #members == many
for n, it in ipairs(members) do
  -- A token is the field of the body of a job whose id is like its group.
  local is_job = string.byte(it[3]) ~= 0
  local held = is_job and redis.call('HMGET', KEYS[1], it[3], '\0' .. it[3]) or {false, false}
  bytes = bytes + (held[2] and #held[2] or 0)
  if n > 1 and bytes > 1048576 then
    has_more = true
    break
  end
  it[4], it[5] = held[1], held[2]
  listed[n] = it
end
return {has_more and 1 or 0, listed}
