/**
 * Addresses and networks, in strict forms only: what two readers could read differently is neither.
 *
 * An IPv4 address that comes mapped into IPv6 (`::ffff:192.0.2.1`) is the IPv4 address, in networks
 * too; `::/0` therefore holds every IPv6 address and no IPv4 address.
 *
 * @module
 */
import ipaddr from 'ipaddr.js'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** What {@link isInside} looks an address up in. */
export interface Network {
  readonly base: Address
  readonly bits: number
}

/**
 * An address in its canonical form, or `undefined` when it is none: an IPv4 address has four
 * decimal numbers without leading zeros.
 */
export function canonicalAddress(text: string): string | undefined {
  return parseAddress(text)?.toString()
}

/**
 * Whom an address stands for when clients are counted: itself, or its /64 of IPv6, which one client
 * has all of. What is no address stands for itself.
 */
export function clientNetwork(address: string): string {
  const parsed = parseAddress(address)
  if (!(parsed instanceof ipaddr.IPv6)) return parsed?.toString() ?? address
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/64`).toString()}/64`
}

/** The network around an address: its /24 of IPv4, or its /48 of IPv6. `undefined`: it is none. */
export function widerNetwork(address: string): string | undefined {
  const parsed = parseAddress(address)
  if (parsed === undefined) return undefined
  if (parsed instanceof ipaddr.IPv6)
    return `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/48`).toString()}/48`
  return `${ipaddr.IPv4.networkAddressFromCIDR(`${parsed.toString()}/24`).toString()}/24`
}

/**
 * An address for {@link isInside}. The zone of a link-local address (`%eth0`) names an interface of
 * this machine and is dropped.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_CHARACTERS) return undefined
  if (isIPv4(text)) return ipaddr.IPv4.parse(text)
  const zone = text.indexOf('%')
  const bare = zone === -1 ? text : text.slice(0, zone)
  if (!isIPv6(bare)) return undefined
  const address = ipaddr.IPv6.parse(bare)
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address
}

/**
 * `address/prefix-length`, or an address alone, which is a network of one. Throws words for the
 * operator, without the text itself.
 *
 * @param path where it stands in the configuration
 * @throws ConfigurationInvalid when it is no network, or has bits set beyond its prefix: then
 *   something else was meant
 */
export function parseNetwork(text: string, path = 'network'): Network {
  const read = readNetwork(text)
  if (typeof read === 'string') throw new ConfigurationInvalid(path, read)
  return read
}

/** The network that a text names; or what is wrong with it, in words that do not quote it. */
export function readNetwork(text: string): Network | string {
  const match = /^([^/%]{1,45})(?:\/(0|[1-9]\d{0,2}))?$/.exec(text)
  const written = match?.[1] ?? ''
  const isFour = isIPv4(written)
  if (!isFour && !isIPv6(written)) return FORM
  const width = isFour ? 32 : 128
  const bits = match![2] === undefined ? width : Number(match![2])
  if (bits > width) return FORM
  const base: Address = isFour ? ipaddr.IPv4.parse(written) : ipaddr.IPv6.parse(written)
  const prefix = isFour
    ? ipaddr.IPv4.networkAddressFromCIDR(`${written}/${bits}`)
    : ipaddr.IPv6.networkAddressFromCIDR(`${written}/${bits}`)
  if (prefix.toString() !== base.toString()) return 'has bits set beyond its prefix'
  if (base instanceof ipaddr.IPv6 && bits >= 96 && base.isIPv4MappedAddress())
    return { base: base.toIPv4Address(), bits: bits - 96 }
  return { base, bits }
}

/** Whether a text names a network: `address/prefix-length`, or an address alone. */
export const isNetwork = (text: string): boolean => typeof readNetwork(text) !== 'string'

/** Whether one of the networks holds the address. */
export function isInside(address: Address, networks: readonly Network[]): boolean {
  return networks.some(
    ({ base, bits }) => base.kind() === address.kind() && address.match(base, bits),
  )
}

/**
 * The network an address is taken to belong to when nothing else is known: /24 of IPv4, /48 of
 * IPv6.
 */
export function neighbourhood(address: Address): string {
  return address instanceof ipaddr.IPv4
    ? `${ipaddr.IPv4.networkAddressFromCIDR(`${address.toString()}/24`).toString()}/24`
    : `${ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/48`).toString()}/48`
}

const FORM = 'must be a network, such as "192.0.2.0/24" or "2001:db8::/32"'
const MAX_CHARACTERS = 64

/**
 * Octal, hexadecimal, short and single-number forms are not among them, although parsers take them.
 */
const isIPv4 = (text: string) =>
  /^(?:\d{1,3}\.){3}\d{1,3}$/.test(text) && ipaddr.IPv4.isValidFourPartDecimal(text)

/**
 * A dotted tail is there only where it is the mapped address, spelled out: `::10.0.0.1` is read in
 * two ways.
 */
const isIPv6 = (text: string) =>
  text.includes(':') &&
  (text.includes('.')
    ? /^(?:::|(?:0{1,4}:){5})ffff:[\d.]+$/i.test(text) &&
      isIPv4(text.slice(text.lastIndexOf(':') + 1))
    : /^[0-9a-f:]+$/i.test(text) && ipaddr.IPv6.isValid(text))
