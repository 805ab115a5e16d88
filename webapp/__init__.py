"""The web pages: a process of its own that calls the API for answers and reads the database for the rest.

How to add a page:

1. `webapp/pages/NAME.py`: a frozen dataclass that subclasses `webapp.views.View` (its fields are the
   template's variables, `template` its file, `regions` the blocks that htmx may fetch alone), and endpoints
   `async def show(request) -> Response` that end in `await site(request).render(request, view)`.
   An endpoint that changes something is `async def act(request, form) -> Response`; it ends in
   `see_other(url)`. Database reads go through `await site(request).read(function, *arguments)`: the function
   gets a connection first and runs in a thread.
2. `webapp/routes.py`: one line in `routes()`, `shows` for GET (`reads_rows=True` where people's rows are
   shown), `changes` for POST: it checks origin, sign-in and CSRF token before the endpoint is called; and one
   line in `LINKS` for the navigation.
3. `templates/NAME.html` extends `base.html`, fills `title` and `main`. A block named in `regions` is wrapped
   in an element whose id is the block's name; a request of htmx with that target gets the block alone. Forms
   are real (`method`, `action`), begin with `{% include "_csrf.html" %}`, and work without JavaScript.
4. Words: `{% trans %}`, `_()` in templates, `speech.gettext()` in Python; their French goes into a `.po` file
   in `webapp/locale/fr/LC_MESSAGES/` (all files there count). A test names what is missing.
5. A component that another page may use, too, gets its example in `templates/patterns.html`.
"""
