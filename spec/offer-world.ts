/**
 * One exchange on offer between its origin and two connectors, each on a link of its own that may be lost: what {@link explore} walks
 * through. The offer and every claim are the real machines; of exchanges there is what they say to the offer.
 *
 * @module
 */
import {
  ClaimEntry,
  OFFER,
  OfferEntry,
  TIME_LIMITS,
  type OfferEffect,
  type SavedClaim,
  type SavedOffer,
} from '../src/protocol/internal.ts'
import { ignoredBy, move, optional } from './body-world.ts'
import type { Exploration, Move } from './explore.ts'

/** What is explored. */
export interface OfferBounds {
  readonly isReplayable: boolean
  /** The offer travels over a broker, which brings it to both connectors. */
  readonly isDoubled?: boolean
  /** Each attempt carries what is made for it alone, once its link is chosen. */
  readonly isPrepared?: boolean
  /** How often it is offered at most; then nobody comes. */
  readonly attempts: number
}

/** Either end of a link; attempts are numbered from 1. */
type Down = { type: 'offer' | 'confirm' | 'gone' | 'cancel'; attempt: number }
type Up = { type: 'claim' | 'decline' | 'not-sent' | 'response' | 'end'; attempt: number }

/** What a connector does with an attempt. `over` is as good as never offered. */
type Job = 'over' | 'offered' | 'claimed' | 'started'

interface Beside {
  /** By connector. */
  readonly down: readonly (readonly Down[])[]
  readonly up: readonly (readonly Up[])[]
  readonly isLinked: readonly boolean[]
  /** By connector and attempt, as {@link place} says. */
  readonly jobs: readonly Job[]
  /** Whose link carries the attempt, and whose exchange is open; -1: nobody's. */
  readonly carrier: number
  readonly claimer: number
  /** How often the application saw the request; confirmations that NOT_SENT did not take back. */
  readonly runs: number
  readonly confirmations: number
  /** Attempts that were neither declined nor given back. */
  readonly counted: number
  readonly gaveUp: number
  /** What its user was told. */
  readonly told: string
}

interface OfferWorld {
  readonly bounds: OfferBounds
  readonly offer: OfferEntry
  /** As {@link Beside.jobs}. */
  readonly claims: readonly ClaimEntry[]
  beside: Beside
}

interface SavedOfferWorld {
  readonly offer: SavedOffer
  readonly claims: readonly SavedClaim[]
  readonly beside: Beside
}

/** Places for claims: those of one connector stand together. */
const MOST_ATTEMPTS = 4
const CONNECTORS = [0, 1] as const
/** No clock is needed: an expiry is a move like any other. */
const NOW = 0

export function offerExploration(bounds: OfferBounds): Exploration<OfferWorld, SavedOfferWorld> {
  return {
    initial: () => initial(bounds),
    save: ({ offer, claims, beside }) => ({
      offer: offer.save(),
      claims: claims.map((claim) => claim.save()),
      beside,
    }),
    restore: (world, { offer, claims, beside }) => {
      world.offer.restore(offer)
      claims.forEach((claim, i) => world.claims[i]!.restore(claim))
      world.beside = beside
    },
    moves: (world) => [
      ...originMoves(world),
      ...CONNECTORS.flatMap((who) => [...linkMoves(world, who), ...jobMoves(world, who)]),
    ],
    isFinal: ({ beside }) => beside.told !== '' && isQuiet(beside),
    check: fault,
  }
}

function initial(bounds: OfferBounds): OfferWorld {
  const { isReplayable } = bounds
  const request = {
    method: isReplayable ? 'GET' : 'POST',
    body: { kind: 'none' },
    upgrade: undefined,
  } as const
  const places = CONNECTORS.length * MOST_ATTEMPTS
  return {
    bounds,
    offer: new OfferEntry(TIME_LIMITS, isReplayable, TIME_LIMITS.responseHeadMs, NOW),
    // What came over another instance waits for CONFIRM, whatever it is.
    claims: Array.from({ length: places }, () => new ClaimEntry(request, bounds.isDoubled)),
    beside: {
      down: [[], []],
      up: [[], []],
      isLinked: [true, true],
      jobs: Array.from({ length: places }, () => 'over' as const),
      carrier: -1,
      claimer: -1,
      runs: 0,
      confirmations: 0,
      counted: 0,
      gaveUp: 0,
      told: '',
    },
  }
}

const place = (who: number, attempt: number) => who * MOST_ATTEMPTS + attempt - 1
const nameOf = (who: number) => 'ab'[who]!

// ── the origin ─────────────────────────────────────────────────────────────────────────────

function originMoves(world: OfferWorld): Move[] {
  const { offer, beside } = world
  const moves: Move[] = []
  switch (offer.state) {
    case 'waiting': {
      const able = CONNECTORS.filter(
        (who) =>
          offer.attempt < world.bounds.attempts &&
          beside.isLinked[who] === true &&
          !offer.excluded.includes(nameOf(who)),
      )
      for (const who of able) moves.push(move(`offer to ${nameOf(who)}`, () => put(world, who)))
      moves.push(move('nobody comes', () => perform(world, offer.expire(NOW))))
      if (able.length === 0)
        moves.push(move('nobody is left', () => perform(world, offer.refuse('no-connector'))))
      break
    }
    case 'preparing':
      moves.push(
        move('what it carries is made', () => said(world)),
        optional('what it carries cannot be made', () => {
          if (offer.spoil(offer.attempt)) tell(world, 'failed')
        }),
        optional('its link takes no offers any more', () => {
          change(world, { carrier: -1, counted: beside.counted - 1 })
          perform(world, offer.withhold(offer.attempt, NOW))
        }),
        optional('the time to claim it passes', () => perform(world, offer.expire(NOW))),
      )
      break
    case 'offered':
      moves.push(move('the claim is missed', () => perform(world, offer.expire(NOW))))
      break
    case 'claimed':
    case 'confirmed':
      moves.push(
        optional('the claim is silent', () => {
          if (offer.expire(NOW) === 'silent') perform(world, offer.giveUp(NOW))
        }),
      )
  }
  if (beside.told === '')
    moves.push(
      optional('the user leaves', () => {
        offer.cancel()
        release(world)
        tell(world, 'cancelled')
      }),
    )
  return moves
}

function put(world: OfferWorld, who: number): void {
  const { isDoubled = false, isPrepared = false } = world.bounds
  const event = isPrepared ? 'prepare' : 'offer'
  world.offer.offer(nameOf(who), isDoubled, TIME_LIMITS.claimMs, NOW, event)
  change(world, { carrier: who, counted: world.beside.counted + 1 })
  if (!isPrepared) toLinks(world)
}

/** A second time it is said in vain. */
function said(world: OfferWorld): void {
  const { attempt } = world.offer
  if (world.offer.say(attempt)) toLinks(world)
}

function toLinks(world: OfferWorld): void {
  const isDoubled = world.bounds.isDoubled === true
  const { attempt } = world.offer
  const who = world.beside.carrier
  for (const one of isDoubled ? CONNECTORS : [who])
    if (world.beside.isLinked[one] === true) toConnector(world, one, { type: 'offer', attempt })
}

/** What the driver of an offer does. */
function perform(world: OfferWorld, effect: OfferEffect): void {
  switch (effect) {
    case 'give-up':
      change(world, { gaveUp: world.beside.gaveUp + 1 })
      return release(world)
    case 'resubmit':
      return release(world)
    case 'fail':
      return tell(world, 'failed')
    case 'end':
      release(world)
      return tell(world, 'done')
  }
}

/** The exchange of the attempt is over at the origin: of one that is open the connector is told. */
function release(world: OfferWorld): void {
  const { claimer, isLinked } = world.beside
  if (claimer >= 0 && isLinked[claimer] === true)
    toConnector(world, claimer, { type: 'cancel', attempt: world.offer.attempt })
  change(world, { claimer: -1, carrier: -1 })
}

function tell(world: OfferWorld, told: string): void {
  change(world, { told: world.beside.told + told })
}

// ── the links ──────────────────────────────────────────────────────────────────────────────

function linkMoves(world: OfferWorld, who: number): Move[] {
  const { beside } = world
  if (beside.isLinked[who] !== true) return []
  const moves: Move[] = []
  const [down] = beside.down[who]!
  if (down !== undefined)
    moves.push({ name: `${nameOf(who)} hears ${down.type}`, apply: () => hears(world, who) })
  const [up] = beside.up[who]!
  if (up !== undefined)
    moves.push({ name: `${nameOf(who)} says ${up.type}`, apply: () => says(world, who) })
  moves.push(optional(`the link of ${nameOf(who)} is lost`, () => lose(world, who)))
  return moves
}

function hears(world: OfferWorld, who: number): undefined {
  const [frame, ...rest] = world.beside.down[who]!
  change(world, { down: world.beside.down.with(who, rest) })
  const at = place(who, frame!.attempt)
  const claim = world.claims[at]!
  switch (frame!.type) {
    case 'offer':
      claim.resolve()
      return setJob(world, at, 'offered')
    case 'confirm':
      return void claim.confirm()
    case 'gone':
      claim.gone()
      return setJob(world, at, 'over')
    case 'cancel':
      claim.lost()
      return setJob(world, at, 'over')
  }
}

function says(world: OfferWorld, who: number): string | undefined {
  const { offer, beside, bounds } = world
  const [frame, ...rest] = beside.up[who]!
  const { type, attempt } = frame!
  change(world, { up: beside.up.with(who, rest) })
  const { state } = offer
  if (type === 'claim') {
    const event = attempt !== offer.attempt ? 'late' : bounds.isReplayable ? 'claim' : 'confirm'
    claimed(world, who, attempt)
    return ignoredBy('OFFER', OFFER, state, event)
  }
  if (type === 'decline') {
    const effect = offer.declined(attempt, NOW)
    if (effect === 'resubmit') change(world, { counted: beside.counted - 1 })
    perform(world, effect)
    return ignoredBy('OFFER', OFFER, state, attempt === offer.attempt ? 'decline' : 'late')
  }
  // Frames of an exchange that is over are discarded.
  if (beside.claimer !== who || attempt !== offer.attempt) return undefined
  if (type === 'not-sent') {
    change(world, { claimer: -1, confirmations: 0, counted: beside.counted - 1 })
    perform(world, offer.notSent('application-unreachable', true, NOW))
  } else if (type === 'response') offer.began()
  else {
    change(world, { claimer: -1 })
    perform(world, offer.ended())
  }
  return undefined
}

function claimed(world: OfferWorld, who: number, attempt: number): void {
  const effect = world.offer.claim(attempt, nameOf(who), NOW)
  if (effect === 'gone') return toConnector(world, who, { type: 'gone', attempt })
  change(world, { claimer: who })
  if (effect !== 'confirm') return
  change(world, { confirmations: world.beside.confirmations + 1 })
  toConnector(world, who, { type: 'confirm', attempt })
}

/** What was on its way is lost too, and the connector breaks off what came over it. */
function lose(world: OfferWorld, who: number): void {
  const { offer, beside } = world
  const { carrier, claimer } = beside
  change(world, {
    down: beside.down.with(who, []),
    up: beside.up.with(who, []),
    isLinked: beside.isLinked.with(who, false),
  })
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const at = place(who, attempt)
    if (world.beside.jobs[at] === 'over') continue
    world.claims[at]!.lost()
    setJob(world, at, 'over')
  }
  if (claimer === who) {
    change(world, { claimer: -1 })
    perform(world, offer.exchangeLost(NOW))
  } else if (carrier === who) {
    if (offer.state === 'preparing') change(world, { counted: world.beside.counted - 1 })
    perform(world, offer.linkLost(NOW))
  }
}

// ── the connectors ─────────────────────────────────────────────────────────────────────────

function jobMoves(world: OfferWorld, who: number): Move[] {
  const { beside, claims } = world
  if (beside.isLinked[who] !== true) return []
  const name = nameOf(who)
  const moves: Move[] = []
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const at = place(who, attempt)
    const claim = claims[at]!
    const say = (job: Job, ...types: Up['type'][]) => {
      const frames = types.map((type) => ({ type, attempt }))
      change(world, { up: world.beside.up.with(who, [...world.beside.up[who]!, ...frames]) })
      setJob(world, at, job)
    }
    switch (beside.jobs[at]) {
      case 'offered':
        moves.push(
          move(`${name} claims ${attempt}`, () => {
            claim.resolved()
            claim.claim()
            say('claimed', 'claim')
          }),
          optional(`${name} declines ${attempt}`, () => {
            claim.decline()
            say('over', 'decline')
          }),
        )
        break
      case 'claimed':
        if (!claim.mayStart) break
        moves.push(
          move(`${name} calls the application for ${attempt}`, () => {
            change(world, { runs: world.beside.runs + 1 })
            setJob(world, at, 'started')
          }),
          optional(`${name} reaches nobody for ${attempt}`, () => say('over', 'not-sent')),
        )
        break
      case 'started':
        moves.push(move(`${name} answers ${attempt}`, () => say('over', 'response', 'end')))
    }
  }
  return moves
}

// ── what must hold ─────────────────────────────────────────────────────────────────────────

function fault({ bounds, offer, beside }: OfferWorld): string | undefined {
  const { runs, confirmations, counted, gaveUp, told } = beside
  if (!bounds.isReplayable) {
    if (runs > 1) return 'a request that is not replayable ran twice'
    if (confirmations > 1) return 'a second confirmation without NOT_SENT of the first'
    if (gaveUp > 0) return 'a request that is not replayable was given up'
  }
  if (gaveUp > 1) return 'given up twice'
  if (counted > 3) return 'more than three attempts'
  const expected = OUTCOMES[offer.state] ?? ''
  return told === expected ? undefined : `"${told}" was told in ${offer.state}`
}

const OUTCOMES: Readonly<Partial<Record<string, string>>> = {
  expired: 'failed',
  failed: 'failed',
  cancelled: 'cancelled',
  done: 'done',
}

function isQuiet({ down, up, jobs }: Beside): boolean {
  return [...down, ...up].every(({ length }) => length === 0) && jobs.every((job) => job === 'over')
}

// ── small moves of the world ───────────────────────────────────────────────────────────────

function change(world: OfferWorld, what: Partial<Beside>): void {
  world.beside = { ...world.beside, ...what }
}

function setJob(world: OfferWorld, at: number, job: Job): undefined {
  change(world, { jobs: world.beside.jobs.with(at, job) })
}

function toConnector(world: OfferWorld, who: number, frame: Down): void {
  const { down } = world.beside
  change(world, { down: down.with(who, [...down[who]!, frame]) })
}
