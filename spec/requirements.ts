/**
 * The flows this project implements, sentence by sentence, as numbered requirements.
 *
 * `R<flow>.<step>[.<sub-step>][letter]`: flow 0 holds for all, 1 is the installation of a connector, 2 its regular
 * configuration, 3 the access of a user. A test proves a requirement by beginning its title with the id; a
 * requirement without a letter is also proved by lettered tests (`R3.4` by `R3.4b …`). `REQUIREMENTS.md` is
 * generated from this list and from the titles of the tests.
 *
 * @module
 */
export interface Requirement {
  readonly id: string
  readonly text: string
  /** Why it is not required yet. */
  readonly later?: string
}

export const FLOWS: Readonly<Record<string, string>> = {
  0: 'Every flow',
  1: 'Installation of a connector',
  2: 'Regular updates of the configuration',
  3: 'Access to a published application',
  4: 'Sign-in and session',
  5: 'Conditional access',
}

// prettier-ignore
export const REQUIREMENTS: readonly Requirement[] = [
  { id: 'R0.1', text: 'All communication between connector and cloud is over TLS.' },
  { id: 'R0.2', text: 'Communication always originates at the connector: it dials out and listens nowhere.' },
  { id: 'R0.3', text: 'The connector authenticates with its client certificate in every call but the registration that establishes it.' },

  { id: 'R1.1a', text: 'During installation an administrator signs in at the tenant\'s issuer and a token is acquired.' },
  { id: 'R1.1b', text: 'The token is presented to the cloud.' },
  { id: 'R1.2a', text: 'The token must prove a registrar role in the tenant it was issued for. Where the tenant allows it, a one-time ticket made by such a registrar, or by the operator at the service, serves in its place.' },
  { id: 'R1.2b', text: 'Otherwise the registration ends there.' },
  { id: 'R1.3a', text: 'The connector makes a certificate request and passes it with the token to the cloud.' },
  { id: 'R1.3b', text: 'The cloud verifies the token and signs the certificate request.' },
  { id: 'R1.3c', text: 'The connector uses the signed certificate for all further communication.' },
  { id: 'R1.4a', text: 'With its new certificate the connector makes its first pull of the configuration.' },
  { id: 'R1.4b', text: 'After that pull it is ready to take requests.' },

  { id: 'R2.1a', text: 'The connector connects to the configuration endpoint with its client certificate.' },
  { id: 'R2.1b', text: 'It does so periodically.' },
  { id: 'R2.2a', text: 'The cloud answers only once it has validated the client certificate.' },
  { id: 'R2.2b', text: 'The cloud returns configuration, such as the connector group the connector is part of.' },
  { id: 'R2.3a', text: 'The connector makes a new certificate request when its certificate is more than 30 days old.' },
  { id: 'R2.3b', text: 'So the client certificate rolls every 30 days.' },

  { id: 'R3.1a', text: 'When a user comes to a published application, the cloud consults the application\'s configuration.' },
  { id: 'R3.1b', text: 'A user of an application with pre-authentication is redirected to the issuer to sign in.' },
  { id: 'R3.1c', text: 'A passthrough application skips all of that.' },
  { id: 'R3.1d', text: 'A request that is no navigation is told that it must sign in, and never sent to the issuer.' },
  { id: 'R3.1e', text: 'A program may show an access token of the issuer in the place of a session; one that is not good is refused with the reason.' },
  { id: 'R3.1f', text: 'A CORS preflight is answered by the application\'s rule before anybody is asked who they are, and is sent on in nobody\'s name.' },
  { id: 'R3.1.1a', text: 'During sign-in the conditional-access requirements of the application are checked.' },
  { id: 'R3.1.1b', text: 'The user must be assigned to the application.' },
  { id: 'R3.1.1c', text: 'Where a second factor is required, the sign-in asks for it.' },
  { id: 'R3.1.2', text: 'After all checks the issuer issues a signed token for the application and redirects the user back to the cloud.' },
  { id: 'R3.1.3a', text: 'The cloud validates that the token was issued to the application the user asked for.' },
  { id: 'R3.1.3b', text: 'It validates that the token was signed by the issuer.' },
  { id: 'R3.1.3c', text: 'It validates that the token is inside its window.' },
  { id: 'R3.1.3d', text: 'It makes the other checks that sign-in needs: issuer, state, nonce, one use.' },
  { id: 'R3.1.4a', text: 'The cloud sets an encrypted, non-persisted cookie that says this application was authenticated to.' },
  { id: 'R3.1.4b', text: 'The cookie carries the user and an expiry, derived from the token by the tenant\'s policy: the token\'s own unless that lets sessions outlive it.' },
  { id: 'R3.1.4c', text: 'The cookie is encrypted under a key that only the cloud knows.' },
  { id: 'R3.1.5', text: 'The cloud redirects the user to the URL first asked for.' },
  { id: 'R3.1.Na', text: 'When any part of pre-authentication fails, the user\'s request is denied.' },
  { id: 'R3.1.Nb', text: 'The user is told the source of the problem.' },
  { id: 'R3.2a', text: 'For every request the cloud validates that pre-authentication has been met.' },
  { id: 'R3.2b', text: 'It validates that the cookie is still valid.' },
  { id: 'R3.2c', text: 'It puts the request on the queue of the connector group that serves the application.' },
  { id: 'R3.2d', text: 'Connectors hold outbound connections open; a request is queued on one of them to be picked up.' },
  { id: 'R3.2e', text: 'The queued request says the application, the headers, the user and a request id.' },
  { id: 'R3.2f', text: 'The encrypted cookie is never sent to the connector.' },
  { id: 'R3.2g', text: 'A request that no connector can be offered now waits; who waited in vain is told whether capacity is wanting (503) or connectors (504).' },
  { id: 'R3.2h', text: 'An application holds no more than its share of what the connectors of its group take, and a user no more than a share of that; others are served meanwhile.' },
  { id: 'R3.2i', text: 'A request is offered only to connectors that can do what its application needs; where none can, its user is told so (501).' },
  { id: 'R3.3', text: 'The connector picks the request up over its long-lived outbound connection.' },
  { id: 'R3.3.1a', text: 'The connector confirms that it knows the application.' },
  { id: 'R3.3.1b', text: 'If it does not, it fetches the application\'s details from the cloud and caches them.' },
  { id: 'R3.3.2', text: 'For a request without a body it connects to the application at once and awaits the response.' },
  { id: 'R3.3.3a', text: 'For a request with a body it calls the cloud instance, with its client certificate, to ask for the data, and connects to the application.' },
  { id: 'R3.3.3b', text: 'Only on that call does the cloud begin to accept the body from the user, and forward it.' },
  { id: 'R3.3.3c', text: 'The connector forwards the body to the application.' },
  { id: 'R3.3.4', text: 'No connection to an application carries one user\'s identity to another.' },
  { id: 'R3.3.5', text: 'A connector that leaves says so: what it was offered and did not claim goes to another one, and what it claimed goes on.' },
  { id: 'R3.3.6', text: 'A request of which a connector certainly sent nothing goes to another one, whatever its method.' },
  { id: 'R3.3.7', text: 'A request that is not replayable runs at most once.' },
  { id: 'R3.4', text: 'Once the whole request has reached the application, the connector waits for the response.' },
  { id: 'R3.5a', text: 'On a response the connector calls the cloud to return status and header fields.' },
  { id: 'R3.5b', text: 'It then streams the response body.' },
  { id: 'R3.6a', text: 'The cloud streams the body to the user.' },
  { id: 'R3.6b', text: 'Header fields are processed on the way as the application defines.' },

  { id: 'R4.1a', text: 'A session is good for one application of one tenant on one host; no other application\'s cookie is read.' },
  { id: 'R4.1b', text: 'A session cookie that comes twice is no session.' },
  { id: 'R4.1c', text: 'A session tells who the user is, when and how strongly they authenticated, and the issuer\'s own session.' },
  { id: 'R4.1d', text: 'Old keys of the key ring still open sessions, the newest seals them, and with a key that leaves the ring its sessions end.' },
  { id: 'R4.1e', text: 'Cookies are not looked at beyond a size.' },
  { id: 'R4.2a', text: 'A revoked session lets no further request pass: it is revoked by itself, by its user, by the issuer\'s session or by its application.' },
  { id: 'R4.2b', text: 'Revocation ends what is open in the session\'s name, streams and WebSockets, within a second.' },
  { id: 'R4.2c', text: 'The end of a session ends what is open in its name.' },

  { id: 'R4.3a', text: 'Sign-out ends the session itself and what is open in its name; its cookie and what the browser cached are cleared.' },
  { id: 'R4.3b', text: 'Sign-out goes on to the issuer, where it offers that, and ends at a page that says so.' },
  { id: 'R4.3c', text: 'Only pages of the same host sign a user out; whoever else leads there, the user is asked first.' },
  { id: 'R4.3d', text: 'A script that signs out is answered without a redirect.' },
  { id: 'R4.3e', text: 'Who is not signed in can sign out.' },
  { id: 'R4.4a', text: 'A back-channel logout of the issuer ends the sessions it names, and what is open in their names within a second.' },
  { id: 'R4.4b', text: 'A logout token is checked in every part and taken once; one that is refused revokes nothing.' },

  { id: 'R4.4c', text: 'A front-channel logout of the issuer ends the session it names, and what is open in its name, also where no cookie comes with it.' },

  { id: 'R4.6a', text: 'A browser goes to the issuer and back by pages that keep the fragment of the address in the tab, and nowhere else.' },
  { id: 'R4.6b', text: 'Whoever says less than a browser is redirected, and the path and query survive.' },
  { id: 'R4.6c', text: 'After signing in a user lands on the host they came to, whatever the callback says.' },

  { id: 'R4.7a', text: 'Near its end a session is renewed past the issuer, without asking the user; it stays the same session.' },
  { id: 'R4.7b', text: 'Where the issuer does not renew it, the user works on to the session\'s end.' },
  { id: 'R4.7c', text: 'However many tabs ask, one renewal is under way, and everything else is served meanwhile.' },
  { id: 'R4.7d', text: 'A renewal that cannot begin disturbs nobody.' },
  { id: 'R4.7e', text: 'What is open in a session\'s name goes on when it is renewed.' },
  { id: 'R4.7f', text: 'Renewal is due in the last five minutes of a session, or the second half of a shorter one.' },
  { id: 'R4.7g', text: 'A renewal does not bring back who signed out meanwhile.' },
  { id: 'R4.7h', text: 'A session with a refresh token is renewed once, however many requests and instances ask for it at the same time.' },
  { id: 'R4.7i', text: 'A session that outlives its ID token stays the same one: it ends at the policy\'s time from the first authentication, and its claims are those of the newest token.' },
  { id: 'R4.7j', text: 'A renewal does not escape a revocation, and a refresh token is kept no longer than its session.' },
  { id: 'R4.7k', text: 'Where the issuer refuses the refresh token, names another user, or the new claims no longer let the user in, the session ends everywhere.' },
  { id: 'R4.7l', text: 'Without its issuer such a session goes on for a grace, and no longer.' },
  { id: 'R4.7m', text: 'Refresh tokens are kept at the server only, sealed, each bound to its session.' },
  { id: 'R4.7n', text: 'A request waits for a renewal only where its user\'s claims are no longer fresh; the new cookie comes with the answer of any request, and no shared cache keeps it.' },
  { id: 'R4.7o', text: 'A session ends when it is not used for the policy\'s time; asking how long it lasts is no use of it.' },
  { id: 'R4.7p', text: 'A script of the same origin is told how long its session lasts, by two numbers and no name; no other site is told anything.' },
  { id: 'R4.7q', text: 'A script renews its session by the refresh token, at most once in half a minute; where there is none it learns that its user is needed.' },
  { id: 'R4.7r', text: 'A window that is opened to sign in renews a session that only its user can, and begins nothing where nobody opened a window.' },
  { id: 'R4.7s', text: 'A form that is sent without a session is not delivered: nothing of it is read, kept or told again, and its user is led back to it.' },
  { id: 'R4.8a', text: 'The callback reached again by somebody who is signed in leads to the page they wanted.' },
  { id: 'R4.8b', text: 'A stale or replayed answer lets nobody in.' },
  { id: 'R4.8c', text: 'Tabs that sign in at once do not disturb each other.' },
  { id: 'R4.8d', text: 'Parameters of the issuer\'s answer that come twice spoil it.' },
  { id: 'R4.8e', text: 'An issuer that is down leaves signed-in users working; others are told, and when to try again.' },
  { id: 'R4.8f', text: 'An old answer does not send round and round who must sign in more strongly.' },
  { id: 'R4.8g', text: 'A sign-out at the issuer that comes in while its answer is looked at ends that sign-in as well.' },
  { id: 'R4.9a', text: 'Where an application asks for it, the issuer posts its answer as a form.' },
  { id: 'R4.9b', text: 'A posted answer is bounded, and must be a form.' },
  { id: 'R4.9c', text: 'Posted answers need https.' },

  { id: 'R4.10a', text: 'The answer of one tenant\'s issuer opens no other tenant\'s application.' },
  { id: 'R4.10b', text: 'A session of one tenant is none of another\'s.' },
  { id: 'R4.10c', text: 'A user is named by issuer and subject; an e-mail address that the issuer does not vouch for is nobody\'s.' },

  { id: 'R5.1a', text: 'Without a list of policies an application has no conditional access: who is assigned is let in.' },
  { id: 'R5.1b', text: 'With one, whoever no policy of it allows is denied; an empty list denies everybody.' },
  { id: 'R5.1c', text: 'A policy that denies wins over one that asks for a stronger sign-in, and that over one that allows, in whatever order they are written.' },
  { id: 'R5.1d', text: 'Broken policies are refused where a configuration is read; where they come another way, they deny.' },
  { id: 'R5.1e', text: 'What is not known restricts and does not permit.' },
  { id: 'R5.1f', text: 'A decision names every policy that applies; one that only reports is named and changes nothing.' },
  { id: 'R5.1g', text: 'A denied user is told the reason in the words of the policy.' },
  { id: 'R5.2a', text: 'Whoever must sign in more strongly, or again, is sent to the issuer with what to ask for, and then let in.' },
  { id: 'R5.2b', text: 'Whoever comes back without it is denied, and not sent again.' },
  { id: 'R5.2c', text: 'A program that must is told what to ask for, in a challenge.' },
  { id: 'R5.3a', text: 'For every request access is decided by what may have changed: the user\'s address, how long ago they signed in, the risk, the time.' },
  { id: 'R5.3b', text: 'Other policies and another assignment hold from the next request on.' },
  { id: 'R5.3c', text: 'When access is denied that was given, what is open in the user\'s name is broken off within a second; when a stronger sign-in is asked for, it may end.' },
  { id: 'R5.4a', text: 'The user\'s address is the peer\'s, unless that is a trusted proxy: then it is what trusted proxies say, read from the right.' },
  { id: 'R5.4b', text: 'An address that a trusted proxy does not tell is not known.' },
]
