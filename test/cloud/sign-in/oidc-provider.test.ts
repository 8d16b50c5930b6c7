import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'
import { expect, test } from 'vitest'
import { createRegistration } from '../../../src/cloud/connectors/registration-service.ts'
import { directoryOf, newKeys, registration, requestFor, startTrust, tenantOf } from '../trust.ts'

const AUDIENCE = 'https://connectors.example'

test('a token of a full OpenID provider registers a connector, as its roles allow', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const trust = await startTrust()
  try {
    const provider = new Provider(url, {
      clients: ['admin', 'reader'].map((client_id) => ({
        client_id,
        client_secret: 'generated-for-this-test',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      })),
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: 'register',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt',
          }),
        },
      },
      extraTokenClaims: (_, token) => ({
        tid: 'contoso',
        roles: token.clientId === 'admin' ? ['application-administrator'] : ['reader'],
      }),
    })
    server.on('request', (request, response) => void provider.callback()(request, response))
    const tokenOf = async (client: string) => {
      const response = await fetch(`${url}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${client}:generated-for-this-test`)}` },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          scope: 'register',
          resource: AUDIENCE,
        }),
      })
      return ((await response.json()) as { access_token: string }).access_token
    }
    const registrar = createRegistration({ ...trust, directory: directoryOf([tenantOf(url)]) })
    const register = async (token: string) =>
      registrar.register(registration(token, await requestFor(await newKeys())))
    const admin = await tokenOf('admin')
    expect(await register(admin)).toMatchObject({ type: 'registered', tenantId: 'contoso' })
    expect(await register(admin)).toMatchObject({ reason: 'token-replayed' })
    expect(await register(await tokenOf('reader'))).toMatchObject({ reason: 'token-role' })
  } finally {
    await trust.issuer.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})
