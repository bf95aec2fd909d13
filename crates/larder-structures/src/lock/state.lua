-- KEYS[1]: 'last|fence,deadline,owner;...|deadline,owner;...': the last fence, the holders, and the
-- queue. All in microseconds. What is not of this form was not written here, and counts as absent.
local at, last, held, queue = now(), 0, {}, {}
-- A number past 2^53 was not written here either.
local function number(text)
  local n = tonumber(text)
  return n <= 9007199254740992 and n or 0
end
local l, h, q = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|([%d,;]*)|([%d,;]*)$')
if l then
  last = number(l)
  for f, d, o in string.gmatch(h, '(%d+),(%d+),(%d+);') do
    if number(d) > at then held[#held + 1] = {fence = number(f), ends = number(d), owner = o} end
  end
  for d, o in string.gmatch(q, '(%d+),(%d+);') do
    if number(d) > at then queue[#queue + 1] = {ends = number(d), owner = o} end
  end
end

-- The last fence is kept for a minute longer than anything else.
local function keep()
  local latest, holders, places = at, {}, {}
  for i, it in ipairs(held) do
    latest = math.max(latest, it.ends)
    holders[i] = num(it.fence) .. ',' .. num(it.ends) .. ',' .. it.owner .. ';'
  end
  for i, it in ipairs(queue) do
    latest = math.max(latest, it.ends)
    places[i] = num(it.ends) .. ',' .. it.owner .. ';'
  end
  local text = num(last) .. '|' .. table.concat(holders) .. '|' .. table.concat(places)
  put(KEYS[1], text, math.floor((latest - at + 999) / 1000) + 60000)
end
