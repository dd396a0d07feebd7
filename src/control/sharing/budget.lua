-- Books what a gateway has spent in a budget's period, and answers what all have. Nano-dollars, in Redis's integers: a
-- number of Lua's holds only nine million dollars of them.
--
-- KEYS[1]  a hash. `memory`: a name that it gets when it begins; `sum`: what all have spent; `base`: how much of that was
--          before it began; `gateway`: number, total and time (seconds) of what was last booked of it.
-- ARGV     gateway, number, total: all that it has spent in the period, corrections included;
--          the total that it knows to be booked; the sum it knows of, and the memory that told it, or nothing where it
--          is its ledger's; when the key is to go (Unix time).
-- Answers  sum and memory.
--
-- Totals and numbers that grow, as in window.lua. A sum that was told by another memory is what was before this one:
-- it raises the base, and the sum by as much, so it does not matter who comes first and what was spent in between. A
-- ledger's may have some of that, and one that this memory told before a failover has, too: so much is spent at least.
local GATEWAYS_MAX = 64      -- then those are forgotten that told nothing for so long:
local FORGET_AFTER = 86400   -- seconds

local MOST = '9223372036854775807'  -- a sum that would pass it stays there

local key, gateway = KEYS[1], ARGV[1]
local now = tonumber(redis.call('TIME')[1])

local function negative(text)
  if text == '0' then return text end
  return string.sub(text, 1, 1) == '-' and string.sub(text, 2) or '-' .. text
end

local function add(field, amount)
  local added = redis.pcall('HINCRBY', key, field, amount)
  if type(added) == 'table' and added.err then redis.call('HSET', key, field, MOST) end
end

-- Less first, so that a sum near the end is not cut that would not pass it.
local function change(field, less, more)
  add(field, negative(less))
  add(field, more)
end

local function forget_gateways()
  if redis.call('HLEN', key) <= GATEWAYS_MAX then return end
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local time = string.match(fields[i + 1], ' (%d+)$')
    if time and tonumber(time) < now - FORGET_AFTER then redis.call('HDEL', key, fields[i]) end
  end
end

-- What a gateway without a mark knows.
local function learn(known, told_by)
  local sum, base, memory = unpack(redis.call('HMGET', key, 'sum', 'base', 'memory'))
  if not sum then
    redis.call('HSET', key, 'sum', known, 'base', known, 'memory', gateway .. ':' .. string.format('%.0f', now))
  elseif tonumber(known) <= 0 then
    return
  elseif memory and told_by ~= '' and told_by ~= memory then
    if tonumber(known) <= tonumber(base) then return end
    change('sum', base, known)
    redis.call('HSET', key, 'base', known)
  elseif tonumber(known) > tonumber(sum) then
    redis.call('HSET', key, 'sum', known)
    if not memory then return end
    change('base', sum, known)
  end
end

local mark = redis.call('HGET', key, gateway)
local booked, total = '0', ARGV[4]
if mark then
  booked, total = string.match(mark, '^(%d+) (%S+)')
else
  learn(ARGV[5], ARGV[6])
  forget_gateways()
end
if not mark or tonumber(ARGV[2]) > tonumber(booked) then
  change('sum', total, ARGV[3])
  redis.call('HSET', key, gateway, ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. string.format('%.0f', now))
  redis.call('EXPIREAT', key, ARGV[7])
end
return redis.call('HGET', key, 'sum') .. ' ' .. (redis.call('HGET', key, 'memory') or '')
