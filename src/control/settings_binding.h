// Binds a setting to a struct's member: the member's type decides how the value is written, read and compared.
#pragma once

#include <algorithm>
#include <concepts>
#include <optional>
#include <type_traits>

#include "control/settings.h"

namespace llmgw::control {

// The words of an enumeration, in the order of its values.
template <class E>
struct Choices;
template <>
struct Choices<AcceptorMode> {
  static constexpr std::string_view kNames[] = {"reuseport", "shared"};
};
template <>
struct Choices<TlsVersion> {
  static constexpr std::string_view kNames[] = {"1.2", "1.3"};
};
template <>
struct Choices<LogLevel> {
  static constexpr std::string_view kNames[] = {"trace", "debug", "info", "warn", "error"};
};
template <>
struct Choices<Http2Mode> {
  static constexpr std::string_view kNames[] = {"auto", "on", "off"};
};
template <>
struct Choices<UpstreamApi> {
  static constexpr std::string_view kNames[] = {"auto", "chat", "responses", "both", "converse", "invoke"};
};

template <>
struct Choices<AdminRole> {
  static constexpr std::string_view kNames[] = {"owner", "admin", "team-admin", "viewer"};
};
template <>
struct Choices<BudgetPeriod> {
  static constexpr std::string_view kNames[] = {"hour", "day", "week", "month"};
};

template <>
struct Choices<UnpricedCalls> {
  static constexpr std::string_view kNames[] = {"allow", "refuse"};
};

template <class T>
struct Unwrapped {
  using type = T;
};
template <class T>
struct Unwrapped<std::optional<T>> {
  using type = T;
};

template <class T>
constexpr SettingType setting_type() {
  if constexpr (std::is_same_v<T, bool>) return SettingType::boolean;
  if constexpr (std::is_enum_v<T>) return SettingType::choice;
  if constexpr (std::integral<T>) return SettingType::integer;
  if constexpr (std::floating_point<T>) return SettingType::number;
  if constexpr (std::is_same_v<T, Duration>) return SettingType::duration;
  if constexpr (std::is_same_v<T, ByteSize>) return SettingType::size;
  if constexpr (std::is_same_v<T, NanoDollars>) return SettingType::money;
  if constexpr (std::is_same_v<T, Timestamp>) return SettingType::timestamp;
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return SettingType::list;
  if constexpr (std::is_same_v<T, Secret>) return SettingType::secret;
  if constexpr (std::is_same_v<T, HeaderTable>) return SettingType::header_table;
  return SettingType::text;
}

// A URL with "***" in the place of what stands before '@'.
std::string without_user(std::string_view url);
std::string render_number(double value);
std::string render_list(const std::vector<std::string>& items);
std::string render_headers(const HeaderTable& headers);

template <class T>
T from_value(SettingValue&& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return std::get<bool>(value);
  } else if constexpr (std::is_enum_v<T> || std::integral<T>) {
    return static_cast<T>(std::get<int64_t>(value));
  } else if constexpr (std::floating_point<T>) {
    return std::get<double>(value);
  } else if constexpr (std::is_same_v<T, Duration>) {
    return Duration(std::get<int64_t>(value));
  } else if constexpr (std::is_same_v<T, ByteSize>) {
    return ByteSize{static_cast<uint64_t>(std::get<int64_t>(value))};
  } else if constexpr (std::is_same_v<T, NanoDollars> || std::is_same_v<T, Timestamp>) {
    return T{std::get<int64_t>(value)};
  } else if constexpr (std::is_same_v<T, Secret>) {
    return Secret(std::get<std::string>(value));
  } else if constexpr (std::is_same_v<T, ProxyUrl>) {
    return ProxyUrl{Secret(std::get<std::string>(value))};
  } else {
    return std::get<T>(std::move(value));
  }
}

template <class T>
std::string to_toml(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return quote(Choices<T>::kNames[static_cast<size_t>(value)]);
  } else if constexpr (std::integral<T>) {
    return std::to_string(value);
  } else if constexpr (std::floating_point<T>) {
    return render_number(value);
  } else if constexpr (std::is_same_v<T, Duration>) {
    return quote(format_duration(value));
  } else if constexpr (std::is_same_v<T, ByteSize>) {
    return quote(format_size(value));
  } else if constexpr (std::is_same_v<T, NanoDollars>) {
    return quote(base::format_usd(value));
  } else if constexpr (std::is_same_v<T, Timestamp>) {
    return quote(format_timestamp(value));
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    return value.empty() ? std::string() : render_list(value);
  } else if constexpr (std::is_same_v<T, Secret>) {
    return value.empty() ? "" : "\"(secret)\"";
  } else if constexpr (std::is_same_v<T, ProxyUrl>) {
    return quote(without_user(value.value.reveal()));
  } else if constexpr (std::is_same_v<T, HeaderTable>) {
    return value.empty() ? std::string() : render_headers(value);
  } else {
    return value.empty() ? std::string() : quote(value);
  }
}

template <class T>
bool same(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, Secret>) {
    return a.reveal() == b.reveal();
  } else if constexpr (std::is_same_v<T, HeaderTable>) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
      return x.name == y.name && x.value.reveal() == y.value.reveal();
    });
  } else {
    return a == b;
  }
}

template <class Section, class Member, Member Section::* Pointer>
constexpr Setting bind_member(Setting setting) {
  using Value = typename Unwrapped<Member>::type;
  setting.type = setting_type<Value>();
  if constexpr (std::is_enum_v<Value>) setting.choices = Choices<Value>::kNames;
  setting.assign = [](void* section, SettingValue&& value) {
    static_cast<Section*>(section)->*Pointer = from_value<Value>(std::move(value));
  };
  setting.render = [](const void* section) -> std::string {
    const Member& member = static_cast<const Section*>(section)->*Pointer;
    if constexpr (std::is_same_v<Member, Value>) {
      return to_toml(member);
    } else if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
      return member ? render_list(*member) : std::string();  // an empty list that was written is not an absent one
    } else {
      return member ? to_toml(*member) : std::string();
    }
  };
  setting.equal = [](const void* a, const void* b) {
    return same(static_cast<const Section*>(a)->*Pointer, static_cast<const Section*>(b)->*Pointer);
  };
  return setting;
}

template <class T>
struct MemberOf;
template <class S, class M>
struct MemberOf<M S::*> {
  using Section = S;
  using Member = M;
};

// bind<&ServerSettings::listen>({.key = "listen", ...})
template <auto Pointer>
constexpr Setting bind(Setting setting) {
  using Of = MemberOf<decltype(Pointer)>;
  return bind_member<typename Of::Section, typename Of::Member, Pointer>(setting);
}

// The same for a member of a base class: bind_in<KeyConfig, &LimitFields::tps>({.key = "tps", ...})
template <class Section, auto Pointer>
constexpr Setting bind_in(Setting setting) {
  using Member = typename MemberOf<decltype(Pointer)>::Member;
  return bind_member<Section, Member, static_cast<Member Section::*>(Pointer)>(setting);
}

}  // namespace llmgw::control
