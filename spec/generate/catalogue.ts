/**
 * The error catalogue: a heading for each code, which is where a problem's `type` leads.
 *
 * @module
 */
import { grpcStatusOf } from '../../src/cloud/pages/grpc-answer.ts'
import { OWN_ANSWERS } from '../../src/cloud/pages/own-answers.ts'
import { failureStatus } from '../../src/protocol/http/failure.ts'
import { SIGN_IN_DENIALS } from '../../src/protocol/machines/sign-in-denials.ts'
import type { FailureReason } from '../../src/protocol/wire/errors.ts'
import { DENIAL_REMEDIES, FAILURE_REMEDIES, OWN_REMEDIES, REFUSAL_REMEDIES } from './remedies.ts'

interface Entry {
  readonly code: string
  /** Status, source and error type, as far as there are any. */
  readonly facts: readonly string[]
  /** What the user reads. */
  readonly words?: string
  /** What an operator can do. */
  readonly remedy: string
}

interface Chapter {
  readonly title: string
  readonly about: string
  readonly entries: readonly Entry[]
}

const factsOf = (code: string, status: number, source: string) => [
  `Status ${status}`,
  `gRPC \`${grpcStatusOf(code, status)}\``,
  `source \`${source}\``,
]

/** Nobody is answered: the user is gone. */
const UNSEEN = 499

const failures = Object.entries(FAILURE_REMEDIES).map(([code, remedy]): Entry => {
  const { status, error, title, detail } = failureStatus(code as FailureReason)
  if (status === UNSEEN) return { code, facts: ['In the audit only'], remedy }
  const grpc = `gRPC \`${grpcStatusOf(code, status)}\``
  const facts = [`Status ${status}`, grpc, `Proxy-Status \`${error}\``]
  return { code, facts, words: `**${title}.** ${detail}`, remedy }
})

const ownAnswers = Object.values(OWN_ANSWERS)
  .filter(({ status }) => status >= 400)
  .map(({ code, status, source, title, detail }): Entry => {
    const remedy = OWN_REMEDIES[code as keyof typeof OWN_REMEDIES]
    if (remedy === undefined) throw new Error(`remedies.ts: nothing about ${code}`)
    return { code, facts: factsOf(code, status, source), words: `**${title}.** ${detail}`, remedy }
  })

const denials = Object.entries(SIGN_IN_DENIALS).map(
  ([code, { status, source, title, detail }]): Entry => ({
    ...{ code, facts: factsOf(code, status, source), words: `**${title}.** ${detail}` },
    remedy: DENIAL_REMEDIES[code as keyof typeof DENIAL_REMEDIES],
  }),
)

const isOfRegistration = (code: string) =>
  /^(?:token|ticket|request|issuer)-|^connector-limit$/.test(code)

const refusals = Object.entries(REFUSAL_REMEDIES).map(([code, remedy]): Entry => {
  return { code, facts: [isOfRegistration(code) ? 'At a registration' : 'At any call'], remedy }
})

const CHAPTERS: readonly Chapter[] = [
  {
    title: 'Requests that failed',
    about: 'A request of a user’s was let in, and did not come to its end.',
    entries: failures,
  },
  {
    title: 'Answers of the service itself',
    about: 'No request was passed on: the service has something to say first.',
    entries: ownAnswers,
  },
  {
    title: 'Sign-in and access',
    about: 'Who somebody is could not be found out, or they may not come in.',
    entries: denials,
  },
  {
    title: 'Connectors',
    about:
      'Why a registration, a certificate or a call of a connector’s is refused. The connector’s log says it.',
    entries: refusals,
  },
]

/** Every code once, in the chapter where it is met first; what else it means stands below. */
export function errorCatalogue(): string {
  const told = new Set<string>()
  return CHAPTERS.map(({ title, about, entries }) => {
    const fresh = entries.filter(({ code }) => !told.has(code))
    for (const { code } of fresh) told.add(code)
    return [`## ${title}`, about, ...fresh.map(section)].join('\n\n')
  }).join('\n\n')
}

/** The codes that have a heading. */
export const CODES: readonly string[] = [
  ...new Set(CHAPTERS.flatMap(({ entries }) => entries.map(({ code }) => code))),
]

function section({ code }: Entry): string {
  const meanings = CHAPTERS.flatMap(({ title, entries }) =>
    entries.filter((entry) => entry.code === code).map((entry) => ({ title, entry })),
  )
  const texts = meanings.map(({ title, entry }, at) => {
    const where = at === 0 ? '' : `_${title}:_ `
    const words = entry.words === undefined ? '' : `\n\n> ${entry.words}`
    return `${where}${entry.facts.join(' · ')}${words}\n\n${entry.remedy}`
  })
  return [`### ${code}`, ...texts].join('\n\n')
}
