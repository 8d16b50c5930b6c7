/**
 * Sign-on by Kerberos in the realm of an Active Directory: Samba as domain controller, an application on Node that asks for Negotiate. What every change is held
 * against is `spec/single-sign-on-kerberos.test.ts`, with MIT's KDC.
 */
import type { BackendRequest } from '../../src/connector/backend.ts'
import { kerberosSignOn } from '../../src/connector/kerberos/index.ts'
import { listen } from '../integration/listen.ts'
import { negotiateApplication, type Seen } from '../kerberos/negotiate-application.ts'
import { missingSamba, SAMBA_REALM, SambaWorld } from '../kerberos/samba-world.ts'
import { exactly, type Campaign } from './campaign.ts'

const ROUNDS = 1_000
const AT_ONCE = 100

export const campaign: Campaign = {
  title: `Kerberos with Samba 4 as domain controller: alice and bob, alternating, ${ROUNDS} requests, ${AT_ONCE} at once; and who is refused`,
  missing: missingSamba,
  async run(say) {
    const world = await SambaWorld.start()
    say('the domain controller is up')
    process.env['KRB5_CONFIG'] = world.configuration
    const application = await negotiateApplication(world.serviceKeytab, 'none:')
    const origin = `http://127.0.0.1:${await listen(application)}`
    const services = ['backend.test', 'other.test', 'none.test'].map((host) => ({
      ...{ servicePrincipal: `HTTP/${host}`, origins: [origin] },
    }))
    const signOn = await kerberosSignOn({ keytab: world.keytab, realm: SAMBA_REALM, services })
    const prepare = async (account: string, host = 'backend.test', mutual = false) =>
      await signOn.prepare(
        request(origin, account, `HTTP/${host}`, mutual),
        new AbortController().signal,
      )
    const ask = async (account: string, mutual = false) => {
      const preparation = await prepare(account, undefined, mutual)
      const [name, value] = preparation.headers as [string, string]
      const answer = await fetch(`${origin}/`, { headers: { [name]: value } })
      preparation.answered!({ status: answer.status, headers: [...answer.headers].flat() })
      return ((await answer.json()) as Seen).user
    }
    const refusal = (...args: Parameters<typeof prepare>) =>
      prepare(...args).then(
        () => 'signed on',
        ({ reason }: { reason: string }) => reason,
      )
    try {
      let right = 0
      for (let round = 0; round < ROUNDS / AT_ONCE; round++) {
        const names = Array.from({ length: AT_ONCE }, (_, i) => (i % 2 === 0 ? 'alice' : 'bob'))
        const users = await Promise.all(names.map((name) => ask(name)))
        right += users.filter((user, i) => user === `${names[i]}@${SAMBA_REALM}`).length
        say(`${right} right`)
      }
      let mutual = 0
      for (let i = 0; i < 20; i++) if ((await ask('bob', true)).startsWith('bob@')) mutual += 1
      const refused = {
        'not-delegated': await refusal('alice', 'other.test'),
        'service-unknown': await refusal('alice', 'none.test'),
        'user-unknown': await refusal('nosuch'),
        'not-delegated: sensitive': await refusal('erin'),
        'user-refused: administrator': await refusal('Administrator'),
        'user-refused: disabled': await (async () => {
          await world.tool('user', 'disable', 'dan', '-H', world.file('private/sam.ldb'))
          return refusal('dan')
        })(),
      }
      return [
        exactly('requests whose user is right', right, ROUNDS),
        exactly('requests with mutual authentication', mutual, 20),
        ...Object.entries(refused).map(([name, reason]) => ({
          ...{ name, value: reason, wanted: name.split(':')[0]! },
          isGood: reason === name.split(':')[0],
        })),
      ]
    } finally {
      await signOn.close?.()
      application.close()
      await world.stop()
    }
  },
}

function request(origin: string, account: string, servicePrincipal: string, mutual: boolean) {
  const user = { from: 'claim', claim: 'account' }
  const application = {
    ...{ id: 'wiki', internalUrl: `${origin}/`, externalUrl: 'https://wiki.example/' },
    ...{ hostHeader: 'internal', verifyCertificate: true },
    signOn: { kind: 'kerberos', servicePrincipal, user, mutual },
  }
  const asking = { application, user: { claims: { account } }, answerMs: 60_000 }
  return asking as unknown as BackendRequest
}
