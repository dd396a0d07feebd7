-- Books what a gateway has used of a window (requests a second, requests a minute, tokens a minute), each at the time it
-- was used, and answers how far the word of all gateways lies ahead of now: the generic cell rate algorithm's
-- theoretical arrival time (admission/meter.h). Times are microseconds of Redis's clock, use is microseconds of window.
--
-- KEYS[1]  a hash. `history`: the word of what is older than a window, then time and amount of each slice of use in the
--          last one, in order; `unit`: how much of the window one request or token is; `gateway`: number, total and time
--          of what was last booked of that gateway.
-- ARGV     gateway, window, the total it knows to be booked, unit, then for each point: number, age, total.
--
-- By another unit the limit has been changed: what was used is as many requests or tokens as before, and at most all.
--
-- A gateway tells what it has used in all, and a number that grows. So a telling that comes twice, late or behind a newer
-- one changes nothing, and one that was lost is in the next. What is no longer in the window is not booked.
local SLICES = 30          -- of a window: use within one is one entry, as of its last
local ENTRIES_MAX = 64     -- more than SLICES where gateways have different windows, during a change
local GATEWAYS_MAX = 64    -- then those are forgotten that told nothing for so many windows:
local LIFE = 10            -- windows; a key unused so long is gone

local key, gateway, window = KEYS[1], ARGV[1], tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local slice = window / SLICES
local packed = redis.call('HGET', key, 'history')
local history = packed and cmsgpack.unpack(packed) or {0}

-- history[i - 1] is a time and history[i] an amount, for i = 3, 5, ...
local function book(time, amount)
  local i = #history
  while i > 1 and history[i - 1] > time do i = i - 2 end
  local number = math.floor(time / slice)
  if i > 1 and math.floor(history[i - 1] / slice) == number then
    history[i - 1], history[i] = time, history[i] + amount
  elseif i < #history and math.floor(history[i + 1] / slice) == number then
    history[i + 2] = history[i + 2] + amount
  else
    table.insert(history, i + 1, time)
    table.insert(history, i + 2, amount)
  end
end

local function word_of_all()
  local word = history[1]
  for i = 2, #history, 2 do word = math.max(word, history[i]) + history[i + 1] end
  return word
end

local unit = tonumber(ARGV[4])
local unit_before = tonumber(redis.call('HGET', key, 'unit') or unit)
if unit ~= unit_before then
  local factor = unit / unit_before
  if history[1] > now then history[1] = now + (history[1] - now) * factor end
  for i = 3, #history, 2 do history[i] = history[i] * factor end
  if word_of_all() > now + window then history = {now + window} end
end

local function forget_gateways()
  if redis.call('HLEN', key) <= GATEWAYS_MAX then return end
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local time = fields[i] ~= 'history' and fields[i] ~= 'unit' and string.match(fields[i + 1], '(%d+)$')
    if time and tonumber(time) < now - LIFE * window then redis.call('HDEL', key, fields[i]) end
  end
end

local mark = redis.call('HGET', key, gateway)
local booked, total = 0, tonumber(ARGV[3])
if mark then
  local number, text = string.match(mark, '^(%d+) (%S+)')
  booked, total = tonumber(number), tonumber(text)
end
local last = booked
for i = 5, #ARGV, 3 do
  local number = tonumber(ARGV[i])
  if number > last then
    local time, to = now - ARGV[i + 1], tonumber(ARGV[i + 2])
    if time > now - window then book(time, to - total) end
    last, total = number, to
  end
end

if last > booked then
  while #history > 1 and (history[2] <= now - window or #history > 1 + 2 * ENTRIES_MAX) do
    history[1] = math.max(history[1], history[2]) + history[3]
    table.remove(history, 2)
    table.remove(history, 2)
  end
end
local word = word_of_all()

if last > booked then
  if not mark then forget_gateways() end
  redis.call('HSET', key, 'history', cmsgpack.pack(history), 'unit', ARGV[4],
    gateway, string.format('%d %.17g %.0f', last, total, now))
  redis.call('PEXPIRE', key, math.ceil(math.max(LIFE * window, word - now + window) / 1000))
end
return string.format('%.3f', math.max(0, word - now))
