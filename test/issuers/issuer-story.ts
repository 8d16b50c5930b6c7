/** What every real issuer must let users do; how its pages are driven is its own. */
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import type { AuditEvent } from '../../src/cloud/index.ts'
import { Client, type Page } from './real-issuer.ts'

export interface IssuerUnderTest {
  /** Where the application is. */
  readonly application: string
  readonly audit: readonly AuditEvent[]
  /** Claims that users are assigned by and ID tokens do not have. */
  readonly onlyAtUserInfo: readonly string[]
  /** Signs the user in at the page that the issuer sent them to; ends with the answer that leads back. */
  signIn(client: Client, page: Page, user: string): Promise<Page>
  /** Whether the issuer asks who the user is. */
  asks(page: Page): boolean
  /** Does what the page of the issuer's that ends the session does. */
  confirmEnd(client: Client, page: Page): Promise<Page>
  /** In a group that is assigned; in none; and assigned by their address. */
  readonly users: { readonly staff: string; readonly guest: string; readonly byEmail: string }
}

export function issuerStory(at: () => IssuerUnderTest): void {
  const isBack = (location: URL) => location.origin === new URL(at().application).origin
  /** Asks for a page, and goes through the issuer. */
  const visit = async (client: Client, user: string): Promise<Page> => {
    const { application, signIn } = at()
    const sent = await client.go(`${application}reports?year=7`)
    expect(sent.status).toBe(302)
    const back = await signIn(client, await client.follow(sent, isBack), user)
    expect(back.location?.pathname).toBe('/.app-proxy/sign-in/callback')
    return client.follow(await client.go(back.location!))
  }
  const last = (type: string) =>
    at()
      .audit.filter((event) => event.type === type)
      .at(-1)

  test.each(['staff', 'byEmail'] as const)('a user is let in: %s', async (who) => {
    const page = await visit(new Client(), at().users[who])
    expect(page.url.href).toBe(`${at().application}reports?year=7`)
    // Let in; only that no connector is there.
    expect(page.status).toBe(504)
    expect(last('sign-in.signed-in')).toMatchObject({ outcome: 'success' })
  })

  test('a user whose groups are not assigned is denied', async () => {
    const page = await visit(new Client(), at().users.guest)
    expect(page.status).toBe(403)
    expect(last('sign-in.denied')).toMatchObject({ reason: 'not-assigned' })
  })

  test('signing out ends the session here and at the issuer', async () => {
    const client = new Client()
    const { application, users, asks, confirmEnd } = at()
    await visit(client, users.staff)
    const left = await client.go(new URL('/.app-proxy/sign-out', application), '')
    expect(left.status).toBe(303)
    const claims = decodeJwt(left.location!.searchParams.get('id_token_hint')!)
    for (const claim of at().onlyAtUserInfo) expect(claims).not.toHaveProperty(claim)
    const end = await confirmEnd(client, await client.follow(left, isBack))
    if (end.location !== undefined)
      expect((await client.go(end.location)).body).toMatch(/signed out/i)
    const again = await client.go(`${application}reports`)
    expect(again.status).toBe(302)
    expect(asks(await client.follow(again, isBack))).toBe(true)
  })
}
