/**
 * The payload of every frame, element by element, as heads.ts and control-frames.ts write and read
 * it. The tables of PROTOCOL.md and spec/layouts.json are made of this; tests hold the encoders and
 * decoders to every element, bound and default in it.
 *
 * @see spec/PROTOCOL.md, "Frames"
 * @module
 */
import type { FrameType } from './frame-types.ts'
import {
  DATA_BYTES,
  MAX_ANSWER_FIELDS,
  FIRST_CREDIT_BYTES,
  MAX_CREDIT,
  MAX_DATA_BYTES,
  MAX_NAME,
  MAX_OFFERS,
  MAX_STREAMS,
  MAX_WELCOME_MS,
} from './limits.ts'
import { MAX_SIGN_ON_CLAIM_BYTES, MAX_SIGN_ON_CLAIMS } from './typed-claims.ts'

/** The type of an element, and its bounds. */
export type ElementType =
  /** An integer. */
  | { readonly is: 'count'; readonly from: number; readonly to: number }
  /** A string of so many characters; `to` absent: as long as the frame allows. */
  | { readonly is: 'text'; readonly from: number; readonly to?: number }
  /** Octets, as many as said. */
  | { readonly is: 'octets'; readonly bytes: number }
  /** A list of the same. */
  | { readonly is: 'list'; readonly of: ElementType }
  /** A token of HTTP, a request target, or a field value that is not empty, as an octet string. */
  | { readonly is: 'token' | 'target' | 'field-value' }
  /** A flat list of names and values; `to` absent: as many fields as the frame holds. */
  | { readonly is: 'headers'; readonly to?: number }
  /** A status: 101 and 200–999, or any other of 100–199. */
  | { readonly is: 'final-status' | 'interim-status' }
  /** Text that is one of the reasons; another one reads as `overloaded`. */
  | { readonly is: 'decline-reason' }
  /** A map of claims: each a text, a number, a boolean or a list of texts; within both bounds. */
  | { readonly is: 'claims'; readonly most: number; readonly bytes: number }
  /** False, true, or a length. */
  | { readonly is: 'body' }
  /** A map with these keys; `isOptional` ones may be left out. */
  | { readonly is: 'map'; readonly keys: readonly MapKey[] }

/** A key of a map. */
export interface MapKey {
  readonly name: string
  readonly type: ElementType
  readonly isOptional?: true
}

/** An element of an array. */
export interface Element {
  readonly name: string
  readonly type: ElementType
  readonly meaning: string
  /** May be nil, or absent behind the last that is there; then it reads as this says. */
  readonly otherwise?: string
}

/** Octets of a payload that is no MessagePack. */
export interface OctetField {
  readonly name: string
  readonly bytes: number
  readonly meaning: string
  readonly isOptional?: true
}

/** A payload: a MessagePack array, octets of fixed places, octets of a body, or nothing. */
export type PayloadLayout =
  | { readonly form: 'array'; readonly elements: readonly Element[] }
  | { readonly form: 'octets'; readonly fields: readonly OctetField[] }
  | { readonly form: 'body' }
  | { readonly form: 'nothing' }

const MOST = Number.MAX_SAFE_INTEGER
const count = (from: number, to: number = MOST): ElementType => ({ is: 'count', from, to })
const NAME: ElementType = { is: 'text', from: 1, to: MAX_NAME }
const SOME_TEXT: ElementType = { is: 'text', from: 1 }
const ANY_TEXT: ElementType = { is: 'text', from: 0 }
const listOf = (of: ElementType): ElementType => ({ is: 'list', of })

const ID: Element = {
  name: 'id',
  type: { is: 'octets', bytes: 16 },
  meaning: 'The exchange. In text and in addresses: 32 hexadecimal digits, lower case.',
}
const ATTEMPT: Element = {
  name: 'attempt',
  type: count(1),
  meaning: 'Which offer of the exchange this is, counted from 1.',
}

const HELLO: readonly Element[] = [
  { name: 'versions', type: listOf(count(0)), meaning: 'Protocol versions, best first.' },
  {
    name: 'run',
    type: NAME,
    meaning: 'This run of the connector: a random name, new at each start.',
  },
  {
    name: 'index',
    type: count(0),
    meaning: 'Tells the links of the run to this cloud instance apart.',
  },
  {
    name: 'epoch',
    type: count(0),
    meaning: 'Grows with each new link of the same run and index.',
  },
  {
    name: 'offers',
    type: count(0, MAX_OFFERS),
    meaning: 'Offers it takes at once on this link, at most; 0: the link is for claims only.',
  },
  {
    name: 'granted',
    type: count(0, MAX_OFFERS),
    meaning: 'How many of them may be made now; never more than `offers`.',
  },
  {
    name: 'maxDataBytes',
    type: count(DATA_BYTES, MAX_DATA_BYTES),
    meaning: 'The largest DATA payload it accepts.',
  },
  { name: 'features', type: listOf(SOME_TEXT), meaning: 'See [Features](#features).' },
  {
    name: 'slots',
    type: count(0, MAX_OFFERS),
    meaning: 'Exchanges the process takes at once, over all its links.',
    otherwise: 'as `offers`',
  },
  {
    name: 'streams',
    type: count(0, MAX_STREAMS),
    meaning: 'Long exchanges beside them: event streams, tunnels, what stands still.',
    otherwise: '0',
  },
]

const WELCOME: readonly Element[] = [
  { name: 'version', type: count(0), meaning: 'The version that is spoken from now on.' },
  { name: 'instance', type: NAME, meaning: 'The cloud instance that answered.' },
  {
    name: 'windowBytes',
    type: count(0, MAX_CREDIT),
    meaning: 'The first credit of every response body.',
  },
  {
    name: 'maxDataBytes',
    type: count(DATA_BYTES, MAX_DATA_BYTES),
    meaning: 'The largest DATA payload it accepts.',
  },
  {
    name: 'pingMs',
    type: count(1, MAX_WELCOME_MS),
    meaning: 'How long either end may say nothing before it is asked.',
  },
  {
    name: 'leaseMs',
    type: count(0, MAX_WELCOME_MS),
    meaning: 'Plain binding: how long this stream lives, at least 1. Link binding: 0.',
  },
  { name: 'features', type: listOf(SOME_TEXT), meaning: 'See [Features](#features).' },
]

const USER: readonly MapKey[] = [
  { name: 'subject', type: SOME_TEXT },
  { name: 'issuer', type: SOME_TEXT },
  { name: 'name', type: ANY_TEXT, isOptional: true },
  { name: 'email', type: ANY_TEXT, isOptional: true },
  { name: 'groups', type: listOf(ANY_TEXT), isOptional: true },
  { name: 'roles', type: listOf(ANY_TEXT), isOptional: true },
  {
    name: 'claims',
    type: { is: 'claims', most: MAX_SIGN_ON_CLAIMS, bytes: MAX_SIGN_ON_CLAIM_BYTES },
    isOptional: true,
  },
]

const OFFER: readonly Element[] = [
  ID,
  ATTEMPT,
  { name: 'applicationId', type: NAME, meaning: 'Whose request it is.' },
  {
    name: 'applicationVersion',
    type: NAME,
    meaning: 'The version of its details that the offer was made under.',
  },
  { name: 'method', type: { is: 'token' }, meaning: 'Octet for octet.' },
  { name: 'target', type: { is: 'target' }, meaning: 'The request target, octet for octet.' },
  {
    name: 'headers',
    type: { is: 'headers' },
    meaning:
      'Without `Host`, which follows from the application’s details, and without the session cookie.',
  },
  {
    name: 'user',
    type: { is: 'map', keys: USER },
    meaning: 'Who is signed in.',
    otherwise: 'nobody',
  },
  {
    name: 'body',
    type: { is: 'body' },
    meaning: 'False: none. True: until END. A number: that many bytes.',
  },
  {
    name: 'upgrade',
    type: { is: 'field-value' },
    meaning: 'The protocol the user wants to switch to; `body` is false then.',
    otherwise: 'none',
  },
  {
    name: 'remainingMs',
    type: count(0),
    meaning: 'Left to claim it. A duration: clocks are never compared.',
  },
  { name: 'origin', type: NAME, meaning: 'The cloud instance that holds the user.' },
  {
    name: 'answerMs',
    type: count(0),
    meaning: 'Left to the response head; it may be more than the application’s own limit.',
    otherwise: 'the application’s own limit alone',
  },
  {
    name: 'affinity',
    type: { is: 'octets', bytes: 16 },
    meaning:
      'Names the connections to the application that are this user’s alone. See [Connection-bound authentication](#connection-bound-authentication).',
    otherwise: 'none: a connection that nobody is bound to',
  },
  {
    name: 'pinned',
    type: count(0, 1),
    meaning: '1: one of these connections is bound, or about to be, and a new one will not do.',
    otherwise: '0',
  },
]

const RESET_CODE: OctetField = {
  name: 'code',
  bytes: 4,
  meaning: 'See [Reset and stop](#reset-and-stop); an unknown one reads as `INTERNAL`.',
}

/** The payload of every frame. */
export const FRAME_LAYOUTS: Readonly<Record<keyof typeof FrameType, PayloadLayout>> = {
  HELLO: { form: 'array', elements: HELLO },
  WELCOME: { form: 'array', elements: WELCOME },
  OFFER: { form: 'array', elements: OFFER },
  CLAIM: {
    form: 'array',
    elements: [
      ID,
      ATTEMPT,
      {
        name: 'credit',
        type: count(0, FIRST_CREDIT_BYTES),
        meaning: 'The pull: bytes of the request body that may be sent at once; 0 without a body.',
      },
    ],
  },
  CONFIRM: { form: 'nothing' },
  DECLINE: {
    form: 'array',
    elements: [
      ID,
      ATTEMPT,
      {
        name: 'reason',
        type: { is: 'decline-reason' },
        meaning: 'See [Reasons of a DECLINE](#reasons-of-a-decline).',
      },
    ],
  },
  CREDIT: {
    form: 'octets',
    fields: [
      {
        name: 'amount',
        bytes: 4,
        meaning: 'Bytes of the exchange’s body, or offers on number 0; never 0.',
      },
    ],
  },
  DATA: { form: 'body' },
  RESPONSE: {
    form: 'array',
    elements: [
      { name: 'status', type: { is: 'final-status' }, meaning: 'Of the answer.' },
      {
        name: 'headers',
        type: { is: 'headers', to: MAX_ANSWER_FIELDS },
        meaning: 'Of the answer.',
      },
    ],
  },
  INFORMATIONAL: {
    form: 'array',
    elements: [
      { name: 'status', type: { is: 'interim-status' }, meaning: 'Of the interim answer.' },
      { name: 'headers', type: { is: 'headers', to: MAX_ANSWER_FIELDS }, meaning: 'Its fields.' },
    ],
  },
  TRAILERS: {
    form: 'array',
    elements: [
      {
        name: 'headers',
        type: { is: 'headers', to: MAX_ANSWER_FIELDS },
        meaning: 'Fields behind the body. The frame carries END.',
      },
    ],
  },
  STOP: { form: 'octets', fields: [RESET_CODE] },
  RESET: {
    form: 'octets',
    fields: [
      RESET_CODE,
      {
        name: 'cause',
        bytes: 4,
        meaning:
          'With NOT_SENT alone, why: UNREACHABLE, TIMEOUT, APPLICATION_CERTIFICATE, CONNECTOR_EXHAUSTED, SIGN_ON or PIN_LOST; an unknown one is none.',
        isOptional: true,
      },
    ],
  },
  PING: {
    form: 'octets',
    fields: [{ name: 'octets', bytes: 8, meaning: 'Any; with ACK the same come back.' }],
  },
  DRAIN: { form: 'nothing' },
  CONFIGURATION: {
    form: 'array',
    elements: [{ name: 'version', type: NAME, meaning: 'There is this configuration to pull.' }],
  },
}
