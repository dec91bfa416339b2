/* The helper's page, where there are scripts: it follows what happens by itself, and tells where its owner is while
   they go, if they press for it. Written so that a telephone of ten years ago understands it; without it all works. */
(function () {
  "use strict";
  var EVERY_MS = 8000;
  var FIX_EVERY_MS = 15000;
  var told = 0;
  var watching = null;

  function page() {
    return document.getElementById("page");
  }

  function writing() {
    var fields = page().querySelectorAll("textarea, input[name=code]");
    for (var n = 0; n < fields.length; n += 1) {
      if (fields[n].value !== fields[n].defaultValue || fields[n] === document.activeElement) {
        return true;
      }
    }
    return false;
  }

  function look() {
    var mine = page();
    if (!mine || !mine.getAttribute("data-url") || mine.getAttribute("data-over") === "1" || document.hidden || writing()) {
      return;
    }
    var request = new XMLHttpRequest();
    request.open("GET", mine.getAttribute("data-url"));
    request.responseType = "document";
    request.onload = function () {
      var fresh = request.response && request.response.getElementById("page");
      if (!fresh || writing()) {
        return;
      }
      if (fresh.getAttribute("data-version") !== mine.getAttribute("data-version")) {
        mine.parentNode.replaceChild(document.importNode(fresh, true), mine);
        begin();
      }
    };
    request.send();
  }

  function tell(place) {
    var now = new Date().getTime();
    if (now - told < FIX_EVERY_MS) {
      return;
    }
    told = now;
    var request = new XMLHttpRequest();
    request.open("POST", page().getAttribute("data-where"));
    request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
    request.onload = look;
    request.send(
      "latitude=" + place.coords.latitude + "&longitude=" + place.coords.longitude + "&accuracy=" + place.coords.accuracy
    );
  }

  function watch() {
    if (watching === null) {
      watching = navigator.geolocation.watchPosition(tell, stop, { enableHighAccuracy: true, maximumAge: 10000 });
    }
  }

  function stop() {
    if (watching !== null) {
      navigator.geolocation.clearWatch(watching);
      watching = null;
    }
  }

  function begin() {
    var share = document.getElementById("share");
    if (!share) {
      stop();
      return;
    }
    if (!navigator.geolocation || (window.isSecureContext === false)) {
      return;
    }
    share.removeAttribute("hidden");
    var start = document.getElementById("share-start");
    if (start) {
      start.onclick = function () {
        told = 0;
        watch();
      };
    }
    if (share.getAttribute("data-sharing") === "1") {
      watch();
    }
  }

  document.addEventListener("submit", function (event) {
    // One tap, one act: a second one would only meet a page that is about to go.
    if (event.target.getAttribute("data-sent")) {
      event.preventDefault();
    }
    event.target.setAttribute("data-sent", "1");
  });
  window.addEventListener("pageshow", function () {
    var forms = document.querySelectorAll("form[data-sent]");
    for (var n = 0; n < forms.length; n += 1) {
      forms[n].removeAttribute("data-sent");
    }
  });

  begin();
  window.setInterval(look, EVERY_MS);
})();
