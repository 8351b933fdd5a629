// What pages do where scripts run. All of them work without.
(() => {
	'use strict'

	// The answer for the client, sent without a click.
	const press = document.querySelector('form[data-press]')
	// A field of the answer may be called "submit" and hide the form's own method.
	if (press) HTMLFormElement.prototype.submit.call(press)

	// Times as the reader's clock shows them, written as in his country.
	const lang = document.documentElement.lang
	const locale = navigator.languages.find(l => l.startsWith(lang)) ?? lang
	const format = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
	for (const time of document.querySelectorAll('time[datetime]')) {
		time.title = time.textContent
		time.textContent = format.format(new Date(time.dateTime))
	}

	// A second click on a button sends nothing: the page is good for one.
	addEventListener('submit', event => {
		const form = event.target
		if (event.defaultPrevented || 'download' in form.dataset) return
		if (form.dataset.sent) return event.preventDefault()
		form.dataset.sent = 'yes'
		event.submitter?.setAttribute('aria-busy', 'true')
	})
	addEventListener('pageshow', () => {
		for (const form of document.forms) delete form.dataset.sent
		for (const busy of document.querySelectorAll('[aria-busy]')) busy.removeAttribute('aria-busy')
	})

	if (navigator.clipboard) {
		for (const button of document.querySelectorAll('[data-copy]')) {
			button.hidden = false
			const label = button.textContent
			button.addEventListener('click', async () => {
				await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).innerText)
				button.textContent = button.dataset.copied
				setTimeout(() => { button.textContent = label }, 2000)
			})
		}
	}

	// Passkeys. What the server sends and takes is JSON with base64url where browsers have bytes.
	const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0))
	const text = buffer => btoa(Array.from(new Uint8Array(buffer), b => String.fromCharCode(b)).join(''))
		.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')

	const options = json => {
		const sent = JSON.parse(json)
		const key = sent.publicKey ?? sent
		key.challenge = bytes(key.challenge)
		if (key.user) key.user.id = bytes(key.user.id)
		for (const list of [key.allowCredentials, key.excludeCredentials]) {
			for (const known of list ?? []) known.id = bytes(known.id)
		}
		return key
	}

	const answer = credential => {
		const from = credential.response
		const response = { clientDataJSON: text(from.clientDataJSON) }
		for (const name of ['attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
			if (from[name]) response[name] = text(from[name])
		}
		if (from.getTransports) response.transports = from.getTransports()
		return JSON.stringify({
			id: credential.id,
			rawId: text(credential.rawId),
			type: credential.type,
			authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
			clientExtensionResults: credential.getClientExtensionResults(),
			response,
		})
	}

	const send = (form, credential) => {
		form.elements.passkey.value = answer(credential)
		form.submit()
	}

	let waiting // for a passkey chosen from the suggestions of the user name's field
	const suggest = async form => {
		if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return
		if (!document.querySelector('input[autocomplete~=webauthn]')) return
		waiting = new AbortController()
		try {
			const publicKey = options(form.dataset.passkey)
			send(form, await navigator.credentials.get({ publicKey, mediation: 'conditional', signal: waiting.signal }))
		} catch {
			// Nobody chose one.
		}
	}

	if (window.PublicKeyCredential && navigator.credentials) {
		for (const form of document.querySelectorAll('form[data-passkey]')) {
			form.hidden = false
			const get = form.dataset.ceremony === 'get'
			form.addEventListener('submit', async event => {
				event.preventDefault()
				waiting?.abort()
				const failed = form.querySelector('[role=alert]')
				failed.hidden = true
				try {
					const publicKey = options(form.dataset.passkey)
					send(form, await (get ? navigator.credentials.get({ publicKey }) : navigator.credentials.create({ publicKey })))
				} catch {
					failed.hidden = false
				}
			})
			if (get) suggest(form)
		}
	}
})()
