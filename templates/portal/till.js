// The till with a script: a sound with each answer, the camera as a scanner, the next code without a new page.
// Every form works without it.
(() => {
  'use strict';
  const byId = (id) => document.getElementById(id);
  const secure = window.isSecureContext && navigator.mediaDevices && 'BarcodeDetector' in window;
  const taps = [];
  let sound, camera, wait = false;

  // A browser lets a page be heard once somebody has touched it.
  for (const touch of ['pointerdown', 'keydown']) {
    addEventListener(touch, () => {
      const Sound = window.AudioContext || window.webkitAudioContext;
      if (Sound) (sound ??= new Sound()).resume();
    });
  }

  const tone = (hertz, from, seconds) => {
    const source = sound.createOscillator(), loud = sound.createGain(), at = sound.currentTime + from;
    source.type = hertz < 400 ? 'square' : 'sine';
    source.frequency.value = hertz;
    loud.gain.setValueAtTime(0.25, at);
    loud.gain.exponentialRampToValueAtTime(0.001, at + seconds);
    source.connect(loud).connect(sound.destination);
    source.start(at);
    source.stop(at + seconds);
  };

  const play = (answer) => {
    if (!sound) return;
    if (answer === 'yes') {
      tone(880, 0, 0.15);
      tone(1320, 0.12, 0.25);
    } else {
      tone(180, 0, 0.3);
      tone(140, 0.32, 0.5);
    }
  };

  // What a page needs when it has come: the words for this browser, the sound, the field for the next code.
  const arrive = () => {
    const button = byId('camera');
    if (button) {
      button.hidden = !secure;
      byId('no-camera').hidden = Boolean(secure);
      button.textContent = button.dataset[camera ? 'stop' : 'start'];
    }
    const said = document.querySelector('[data-sound]');
    if (said) play(said.dataset.sound);
    for (const print of document.querySelectorAll('[data-print]')) print.hidden = false;
    // With the camera on nobody types, and a phone's keyboard would cover the answer.
    if (!camera) (document.querySelector('[aria-invalid]') ?? document.querySelector('[autofocus]'))?.focus();
  };

  const show = (html) => {
    const page = new DOMParser().parseFromString(html, 'text/html');
    document.querySelector('style').textContent = page.querySelector('style').textContent;
    document.querySelector('main').replaceWith(page.querySelector('main'));
    arrive();
    if (document.querySelector('.answer')) scrollTo(0, 0);
  };

  const send = async (form, button) => {
    if (wait) {
      // A guest is counted while the one before is on the way: their button on the page to come knows the total.
      if (form.matches('[data-queue]') && button) taps.push(button.id);
      return;
    }
    wait = true;
    const fields = new FormData(form);
    if (button?.name) fields.append(button.name, button.value);
    try {
      const answer = await fetch(form.action, { method: 'POST', body: new URLSearchParams(fields) });
      show(await answer.text());
      // At the till the field keeps the focus, so that a scanner never types into a button.
      if (button?.id && !document.querySelector('[autofocus]')) byId(button.id)?.focus();
    } catch {
      // The browser's own way: its page says what is wrong, and the same form twice is one redemption.
      taps.length = 0;
      form.removeAttribute('data-stay');
      form.requestSubmit(button ?? undefined);
    } finally {
      wait = false;
    }
    while (taps.length && !wait) byId(taps.shift())?.click();
  };

  addEventListener('submit', (event) => {
    if (!event.target.matches('[data-stay]')) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });

  const look = async (finder) => {
    const detector = new BarcodeDetector({ formats: ['qr_code'] });
    let last = '', seen = 0;
    while (camera && finder.isConnected) {
      const codes = await detector.detect(finder).catch(() => []);
      const text = codes.map((code) => code.rawValue).find((text) => text.startsWith('M1:'));
      if (text === last && text) seen = Date.now();
      // A coupon that stays in front of the camera is one coupon.
      if (text && !wait && (text !== last || Date.now() - seen > 2000)) {
        [last, seen] = [text, Date.now()];
        byId('code').value = text;
        await send(byId('code').form);
      }
      if (last && Date.now() - seen > 2000) last = '';
      await new Promise((again) => setTimeout(again, 150));
    }
  };

  const close = () => {
    camera?.getTracks().forEach((track) => track.stop());
    camera = undefined;
    byId('finder')?.remove();
    arrive();
  };

  addEventListener('click', async ({ target }) => {
    if (target.dataset.print !== undefined) print();
    if (target.id !== 'camera') return;
    if (camera) return close();
    try {
      camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    } catch {
      byId('no-camera').hidden = false;
      return;
    }
    const finder = document.createElement('video');
    Object.assign(finder, { id: 'finder', srcObject: camera, muted: true, playsInline: true });
    document.body.prepend(finder);
    await finder.play();
    arrive();
    look(finder);
  });
  addEventListener('pagehide', () => camera && close());

  arrive();
})();
