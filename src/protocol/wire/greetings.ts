/**
 * The payloads of HELLO and WELCOME, as heads.ts has those of exchanges.
 *
 * @see spec/PROTOCOL.md, "Frames"
 * @module
 */
import { GREASE_ELEMENT } from './features.ts'
import type { Hello, Welcome } from './frame-types.ts'
import {
  DATA_BYTES,
  MAX_CREDIT,
  MAX_DATA_BYTES,
  MAX_OFFERS,
  MAX_STREAMS,
  MAX_WELCOME_MS,
} from './limits.ts'
import { encode } from './msgpack.ts'
import { malformed, readElements, type PositionalReader } from './positional.ts'

/**
 * The elements are written in the order that frame-layouts.ts declares. `grease` stands behind them
 * and means nothing.
 */
export function encodeHello(hello: Hello, grease?: Uint8Array): Uint8Array {
  const { versions, run, index, epoch, offers, granted, maxDataBytes, features } = hello
  const { slots = offers, streams = 0 } = hello
  const greeting = [versions, run, index, epoch, offers, granted, maxDataBytes, features]
  return encode(greased([...greeting, slots, streams], grease))
}

/**
 * Reads the payload of a HELLO.
 *
 * @throws PeerViolation `MALFORMED_FRAME`
 */
export function decodeHello(payload: Uint8Array): Hello {
  return readElements(payload, 'HELLO', helloOf)
}

function helloOf(from: PositionalReader): Hello {
  const greeting = {
    versions: from.list('versions', isVersion),
    run: from.name('run'),
    index: from.count('index'),
    epoch: from.count('epoch'),
    offers: from.count('offers', MAX_OFFERS),
    granted: from.count('granted', MAX_OFFERS),
    maxDataBytes: dataBytes(from),
    features: from.list('features', isName),
  }
  const hello: Hello = {
    ...greeting,
    slots: from.countOr('slots', greeting.offers, MAX_OFFERS),
    streams: from.countOr('streams', 0, MAX_STREAMS),
  }
  if (hello.granted > hello.offers) throw malformed('HELLO', '"granted" is more than "offers"')
  return hello
}

/** `[version, instance, windowBytes, maxDataBytes, pingMs, leaseMs, features]` */
export function encodeWelcome(welcome: Welcome, grease?: Uint8Array): Uint8Array {
  const { version, instance, windowBytes, maxDataBytes, pingMs, leaseMs, features } = welcome
  const greeting = [version, instance, windowBytes, maxDataBytes, pingMs, leaseMs, features]
  return encode(greased(greeting, grease))
}

/** A greeting with an element that means nothing, where no version will put one that does. */
function greased(greeting: readonly unknown[], grease: Uint8Array | undefined): readonly unknown[] {
  if (grease === undefined) return greeting
  const padding = Array.from({ length: GREASE_ELEMENT - greeting.length }, () => undefined)
  return [...greeting, ...padding, grease]
}

/**
 * Reads the payload of a WELCOME.
 *
 * @throws PeerViolation `MALFORMED_FRAME`
 */
export function decodeWelcome(payload: Uint8Array): Welcome {
  return readElements(payload, 'WELCOME', welcomeOf)
}

function welcomeOf(from: PositionalReader): Welcome {
  return {
    version: from.count('version'),
    instance: from.name('instance'),
    windowBytes: from.count('windowBytes', MAX_CREDIT),
    maxDataBytes: dataBytes(from),
    pingMs: positive(from, 'pingMs', MAX_WELCOME_MS),
    leaseMs: from.count('leaseMs', MAX_WELCOME_MS),
    features: from.list('features', isName),
  }
}

function dataBytes(from: PositionalReader): number {
  const bytes = from.count('maxDataBytes', MAX_DATA_BYTES)
  if (bytes < DATA_BYTES) throw malformed(from.frame, `"maxDataBytes" is less than ${DATA_BYTES}`)
  return bytes
}

function positive(from: PositionalReader, element: string, most: number): number {
  const value = from.count(element, most)
  if (value === 0) throw malformed(from.frame, `"${element}" is 0`)
  return value
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
