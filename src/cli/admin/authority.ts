/**
 * The connectors' authority, as an operator sees and rolls it.
 */
import type { AuthorityView } from 'app-proxy/cloud/admin'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { aligned } from '../program/flags.ts'
import { allOf } from '../program/mistakes.ts'
import { printable } from '../program/printable.ts'
import type { Surroundings } from '../program/program.ts'
import { AdminApiCalls } from './api.ts'
import type { AdminAuthorityGiven, AdminFinishGiven, AdminRollGiven } from './flags.ts'
import { time } from './table.ts'

const PATH = '/v1/authority'
const MINUTE_MS = 60_000

/** Resolves with the exit code, as all of these. */
export async function showAuthority(given: AdminAuthorityGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  return told(await api.get<AuthorityView>(PATH, of(given)), given, surroundings)
}

const of = ({ servers }: { readonly servers: boolean }) => (servers ? { of: 'servers' } : {})

export async function rollAuthority(given: AdminRollGiven, surroundings: Surroundings) {
  const [api, body] = await allOf(
    () => AdminApiCalls.open(given, surroundings),
    () => {
      const { 'begins-in': minutes } = given
      if (minutes === undefined) return of(given)
      if (!/^\d{1,5}$/.test(minutes))
        throw new ConfigurationInvalid([
          { path: '--begins-in', detail: 'must be a whole number', value: JSON.stringify(minutes) },
        ])
      return { ...of(given), beginsInMs: Number(minutes) * MINUTE_MS }
    },
  )
  return told((await api.post(`${PATH}/roll`, { body })) as AuthorityView, given, surroundings)
}

export async function finishAuthority(given: AdminFinishGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const body = { ...of(given), ...(given.force === true && { force: true }) }
  return told((await api.post(`${PATH}/finish`, { body })) as AuthorityView, given, surroundings)
}

function told(view: AuthorityView, { json }: { readonly json: boolean }, { say }: Surroundings) {
  say(json ? JSON.stringify(view) : authorityLines(view))
  return 0
}

const STATES: Readonly<Record<AuthorityView['state'], string>> = {
  one: 'one root',
  announced: 'a roll is announced: both roots are trusted, connectors renew from then on',
  rolling: 'a roll is under way: both roots are trusted, connectors renew',
}

function authorityLines({ state, root, leaving, remaining }: AuthorityView): string {
  const { total, connectors, connections } = remaining
  const rows: (readonly [string, string])[] = [
    ['state', STATES[state]],
    [leaving ? 'next root' : 'root', `${root.keyId}, ends ${time(root.expiresAt)}`],
  ]
  if (leaving !== undefined)
    rows.push(
      ['root before', `${leaving.keyId}, leaves at ${time(leaving.leavesAt)}`],
      ['remaining', `${total} connectors need the root before`],
      ...connectors.map(
        ({ id, name, tenantId, standing }) =>
          ['', `${id} "${name}" of tenant ${tenantId}, ${standing}`] as const,
      ),
      ['connections', `${connections} carry something here by certificates of the root before`],
    )
  return aligned(rows.map(([left, right]) => [left, printable(right)])).join('\n')
}
