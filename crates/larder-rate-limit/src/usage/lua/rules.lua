-- KEYS[1]: 'ban|until,refusals|id,ends,units;...|state|state|...|': when a ban ends, the time in which refusals
-- are counted, the holds, and the state of each rule. Integers, times in microseconds. What is not of this
-- form was not written here, and counts as absent.
-- ARGV: what happens to used units when a limit changes, the number of rules, the rules, and then the arguments of
-- each script.
local at, change = now(), ARGV[1]
local banned, counted_until, refusals, holds, kept = 0, 0, 0, {}, {}
-- A number past 2^53 was not written here either.
local function int(text)
  local n = tonumber(text)
  return n <= 9007199254740992 and n or 0
end
local function ints(text)
  local list = {}
  for n in string.gmatch(text, '%d+') do list[#list + 1] = int(n) end
  return list
end
local b, u, c, h, r = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|(%d+),(%d+)|([%d,;]*)|(.*)$')
if b then
  if int(b) > at then banned = int(b) end
  if int(u) > at then counted_until, refusals = int(u), int(c) end
  for id, ends, units in string.gmatch(h, '(%d+),(%d+),(%d+);') do
    if int(ends) > at then holds[#holds + 1] = {id = id, ends = int(ends), units = int(units)} end
  end
  for tag, body in string.gmatch(r, '(%l)([%d,]*)|') do kept[#kept + 1] = {tag, body} end
end
-- The units that are held and when all of them are back, when the first and the last hold end, the first to end
-- of those that hold units, and all in the order in which they end, once that was needed.
local held, freed, first, last, soonest, order
local function tally()
  held, freed, first, last, soonest, order = 0, at, at, at, nil, nil
  for i, it in ipairs(holds) do
    held, last = held + it.units, math.max(last, it.ends)
    first = i == 1 and it.ends or math.min(first, it.ends)
    if it.units > 0 then freed = math.max(freed, it.ends) end
    if it.units > 0 and (not soonest or it.ends < soonest.ends) then soonest = it end
  end
end
tally()
-- The holds in the order in which they end. There may be many, so they are sorted once, and for refusals alone.
local function ending()
  if order then return order end
  order = {}
  for i, it in ipairs(holds) do order[i] = it end
  table.sort(order, function(a, b) return a.ends < b.ends end)
  return order
end
-- Whether the record is outdated, and must be written even if nothing is charged.
local dirty = false
-- A count under another limit. A share is rounded up to a unit of a smaller limit, and down to one of a larger limit,
-- and a number is not cut to a smaller limit: so two limits in turn neither add to a count nor lose any of it, and it
-- need not be written until something is charged.
local function convert(used, old, new)
  if new == old or change == '0' then return used end
  if change == '2' then return 0 end
  return math.min((new < old and math.ceil or math.floor)(used * new / old), 2 * new)
end
-- A TAT of other numbers. It keeps parts of a unit: if it rounded them up, two sets of numbers in turn would add to the
-- used units each time.
local function rescale(tat, old, p)
  dirty = true
  if change == '2' then return at end
  local from, to = old[2], p[1]
  if change == '1' then from, to = old[3], p[2] end
  return at + math.min(math.floor((tat - at) / from * to + 0.5), 2 * p[2])
end

-- By the tag of an algorithm, a function that makes its operations on its parameters `p` and its state `v`: a script
-- makes only those of its rules. A charge makes a count at most twice the limit, which bounds debt. More than that has
-- been counted under a larger limit, and stays.
local by = {}

-- v: TAT, interval, tolerance.
function by.g()
  return {
    load = function(p, tag, body)
      local v, tat = tag == 'g' and ints(body) or {}, at
      if #v == 3 and v[1] > at and v[2] > 0 then
        tat = v[1]
        if v[2] ~= p[1] or v[3] ~= p[2] then
          tat = rescale(tat, v, p)
        elseif tat > at + 2 * p[2] then
          tat, dirty = at + 2 * p[2], true
        end
      end
      return {tat, p[1], p[2]}
    end,
    limit = function(p) return p[2] / p[1] end,
    used = function(p, v) return math.ceil((v[1] - at) / p[1]) end,
    wait = function(p, v, n) return v[1] + n * p[1] - p[2] - at end,
    reset = function(p, v) return v[1] - at end,
    set = function(p, v, n) v[1] = at + math.min(n * p[1], 2 * p[2]) end,
    charge = function(p, v, n) v[1] = math.min(v[1] + math.min(n * p[1], 2 * p[2]), at + 2 * p[2]) end,
    -- What has come back by itself since is not given back again.
    give_back = function(p, v, n, moment)
      local charge = math.min(n * p[1], 2 * p[2])
      local back = math.min(math.max(moment + charge - at, 0), charge)
      v[1] = math.max(v[1] - back, at)
    end,
    tag = 'g',
  }
end

-- v: start, end, used, limit.
local function window(ends_of, latest)
  return {
    load = function(p, tag, body)
      local v = tag == 'w' and ints(body) or {}
      local start, ends = ends_of(p)
      if #v == 4 and v[2] > at and v[3] > 0 and v[4] > 0 then
        if v[2] > latest(p) then
          v[1], v[2], dirty = math.min(v[1], at), ends, true
        end
        return {v[1], v[2], convert(v[3], v[4], p[1]), p[1]}
      end
      return {start, ends, 0, p[1]}
    end,
    limit = function(p) return p[1] end,
    used = function(p, v) return v[3] end,
    wait = function(p, v, n) return v[3] + n > p[1] and v[2] - at or 0 end,
    reset = function(p, v) return v[3] > 0 and v[2] - at or 0 end,
    set = function(p, v, n) v[3] = math.min(n, 2 * p[1]) end,
    charge = function(p, v, n)
      if v[3] < 2 * p[1] then v[3] = math.min(v[3] + n, 2 * p[1]) end
    end,
    give_back = function(p, v, n, moment)
      if moment >= v[1] and moment < v[2] then v[3] = math.max(v[3] - n, 0) end
    end,
    tag = 'w',
  }
end
local function period_ahead(p) return at + p[2] end
function by.f()
  return window(function(p)
    local start = math.floor(at / p[2]) * p[2]
    return start, start + p[2]
  end, period_ahead)
end
function by.r()
  return window(function(p) return at, at + p[2] end, period_ahead)
end
function by.c()
  return window(function(p)
    for i = 3, 5 do
      if at < p[i] then return p[i - 1], p[i] end
    end
    return at, at + p[5] - p[4]
  end, function(p) return p[5] end)
end

-- v: start, count of this window, count of the last one, limit. The window is cut into slices, so that all
-- products stay below 2^53.
local function slices(p)
  local slice = math.ceil(p[2] / 524288)
  return slice, math.ceil(p[2] / slice)
end
-- When a count, which begins to leave at `start`, is `room` at most.
local function left_at(p, start, count, room)
  local slice, many = slices(p)
  return start + math.min((many - math.floor(room * many / count)) * slice, p[2])
end
function by.s()
  local function used(p, v)
    local slice, many = slices(p)
    local gone = math.min(math.floor(math.max(at - v[1], 0) / slice), many)
    return v[2] + math.ceil(v[3] * (many - gone) / many)
  end
  return {
    load = function(p, tag, body)
      local v, start = tag == 's' and ints(body) or {}, math.floor(at / p[2]) * p[2]
      if #v ~= 4 or v[4] < 1 or v[2] + v[3] == 0 or start - v[1] >= 2 * p[2] then
        return {start, 0, 0, p[1]}
      end
      if v[1] > start + p[2] then
        v[1], dirty = start, true
      elseif v[1] < start then
        v[1], v[2], v[3] = start, 0, v[2]
      end
      return {v[1], convert(v[2], v[4], p[1]), convert(v[3], v[4], p[1]), p[1]}
    end,
    limit = function(p) return p[1] end,
    used = used,
    wait = function(p, v, n)
      if used(p, v) + n <= p[1] then return 0 end
      local room = p[1] - n - v[2]
      if room >= 0 then return left_at(p, v[1], v[3], room) - at end
      return left_at(p, v[1] + p[2], v[2], p[1] - n) - at
    end,
    reset = function(p, v)
      if v[2] > 0 then return v[1] + 2 * p[2] - at end
      return v[3] > 0 and v[1] + p[2] - at or 0
    end,
    set = function(p, v, n) v[2], v[3] = math.min(n, 2 * p[1]), 0 end,
    charge = function(p, v, n)
      if v[2] < 2 * p[1] then v[2] = math.min(v[2] + n, 2 * p[1]) end
    end,
    give_back = function(p, v, n, moment)
      if moment >= v[1] then
        v[2] = math.max(v[2] - n, 0)
      elseif moment >= v[1] - p[2] then
        v[3] = math.max(v[3] - n, 0)
      end
    end,
    tag = 's',
  }
end

-- v: limit, and a moment of 16 digits for each unit, oldest first.
local function moment_of(v, i) return tonumber(string.sub(v[2], 16 * i - 15, 16 * i)) end
local function moments(moment, n) return string.rep(string.format('%016.0f', moment), n) end
function by.l()
  return {
    load = function(p, tag, body)
      local limit, log = string.match(body, '^(%d+),(%d*)$')
      if tag ~= 'l' or not limit or #log % 16 ~= 0 then return {p[1], ''} end
      local v = {p[1], log}
      local many, gone, ahead = #log / 16, 0, 0
      while gone < many and moment_of(v, gone + 1) + p[2] <= at do gone = gone + 1 end
      while ahead < many - gone and moment_of(v, many - ahead) > at do ahead = ahead + 1 end
      if ahead > 0 then dirty = true end
      if change == '2' and int(limit) ~= p[1] then gone, ahead = many, 0 end
      v[2] = string.sub(log, 16 * gone + 1, 16 * (many - ahead)) .. moments(at, ahead)
      return v
    end,
    limit = function(p) return p[1] end,
    used = function(p, v) return #v[2] / 16 end,
    wait = function(p, v, n)
      local i = #v[2] / 16 + n - p[1]
      return i > 0 and moment_of(v, i) + p[2] - at or 0
    end,
    reset = function(p, v) return #v[2] > 0 and moment_of(v, #v[2] / 16) + p[2] - at or 0 end,
    set = function(p, v, n) v[2] = moments(at, math.min(n, 2 * p[1])) end,
    charge = function(p, v, n) v[2] = v[2] .. moments(at, math.min(n, 2 * p[1] - #v[2] / 16)) end,
    give_back = function(p, v, n, moment)
      local to = #v[2] / 16
      while to > 0 and moment_of(v, to) > moment do to = to - 1 end
      local from = to
      while from > 0 and to - from < n and moment_of(v, from) == moment do from = from - 1 end
      v[2] = string.sub(v[2], 1, 16 * from) .. string.sub(v[2], 16 * to + 1)
    end,
    tag = 'l',
  }
end

-- Its state is the holds.
local function nothing() end
function by.k()
  return {
    load = function() return {} end,
    limit = function(p) return p[1] end,
    used = function() return #holds end,
    wait = function(p)
      local over = #holds - p[1]
      if over < 0 then return 0 end
      return (over == 0 and first or ending()[over + 1].ends) - at
    end,
    reset = function() return last - at end,
    set = nothing,
    charge = nothing,
    give_back = nothing,
    tag = 'k',
  }
end

local rules, arg = {}, 2
for i = 1, tonumber(ARGV[2]) do
  local tag, p = ARGV[arg + 1], {}
  local many = tag == 'c' and 5 or 2
  for j = 1, many do p[j] = tonumber(ARGV[arg + 1 + j]) end
  arg = arg + 1 + many
  local state, does = kept[i] or {'', ''}, by[tag]()
  rules[i] = {p = p, v = does.load(p, state[1], state[2]), does = does}
end

-- How long until a rule lets so many units pass beside what is held, if the holds end one after the other.
local function wait_beside_holds(it, units)
  local limit, left, best = it.does.limit(it.p), held, nil
  if left + units <= limit then best = math.max(it.does.wait(it.p, it.v, left + units), 0) end
  if held == 0 or best and best <= first - at then return best or 1 end
  -- When the first units are back, it often passes.
  local soon, beside = soonest.ends - at, left - soonest.units + units
  if beside <= limit and it.does.wait(it.p, it.v, beside) <= soon then return math.min(best or soon, soon) end
  local after = 0
  for _, hold in ipairs(ending()) do
    after, left = hold.ends - at, left - hold.units
    if best and best <= after then break end
    if left + units <= limit then
      best = math.max(it.does.wait(it.p, it.v, left + units), after)
    end
  end
  return best or after
end

-- How long until each rule lets so many units pass. Zero if it is now.
local function waits(units)
  local list = {}
  for i, it in ipairs(rules) do
    list[i] = it.does.tag == 'k' and it.does.wait(it.p) or wait_beside_holds(it, units)
  end
  return list
end

local function keep()
  local latest, places, states = math.max(banned, counted_until, last), {}, {}
  for i, it in ipairs(holds) do
    places[i] = it.id .. ',' .. num(it.ends) .. ',' .. num(it.units) .. ';'
  end
  for i, it in ipairs(rules) do
    latest = math.max(latest, at + it.does.reset(it.p, it.v))
    local fields = {}
    for j, field in ipairs(it.v) do fields[j] = type(field) == 'number' and num(field) or field end
    states[i] = it.does.tag .. table.concat(fields, ',') .. '|'
  end
  if latest <= at then
    del(KEYS[1])
  else
    local text = num(banned) .. '|' .. num(counted_until) .. ',' .. num(refusals) .. '|'
    put(KEYS[1], text .. table.concat(places) .. '|' .. table.concat(states), math.floor((latest - at + 999) / 1000))
  end
end

-- {1 if it passes, what is left of a ban, the wait for room for a hold, the number of holds, what the script adds,
-- and for each rule: its wait, what remains, its reset, and how long until one more unit comes back}
local function report(passes, full, waited, says)
  local answer = {passes and 1 or 0, math.max(banned - at, 0), full, #holds, says}
  for i, it in ipairs(rules) do
    local limit, more = it.does.limit(it.p), 0
    local used, reset = it.does.used(it.p, it.v), it.does.reset(it.p, it.v)
    local taken = it.does.tag == 'k' and 0 or held
    local remaining = math.max(limit - used - taken, 0)
    if it.does.tag == 'k' then
      more = first - at
    else
      reset = math.max(reset, freed - at)
      if remaining < limit then more = wait_beside_holds(it, remaining + 1) end
    end
    answer[#answer + 1] = waited[i]
    answer[#answer + 1] = remaining
    answer[#answer + 1] = reset
    answer[#answer + 1] = more
  end
  return answer
end
local function passes(waited, full)
  for _, wait in ipairs(waited) do
    if wait > 0 then return false end
  end
  return banned <= at and full == 0
end
