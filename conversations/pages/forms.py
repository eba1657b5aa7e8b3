"""The forms of a project's settings."""

from django import forms

from conversations.models import LONGEST_RETENTION_DAYS, Membership, Scope


class NameForm(forms.Form):
    name = forms.CharField(max_length=200, required=False, help_text="Empty: its id is shown.")


class RetentionForm(forms.Form):
    days = forms.IntegerField(
        label="Days to keep conversations",
        min_value=1,
        max_value=LONGEST_RETENTION_DAYS,
        required=False,
        help_text="Counted from when one was last touched. Empty: for ever.",
    )


class KeyForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="What it is for, such as a computer's name.")
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=(
            (Scope.INGEST, "Send conversations in"),
            (Scope.READ, "Read and follow"),
            (Scope.WRITE, "Change and delete"),
            (Scope.RUN, "Ask agents"),
        ),
        initial=Scope.values,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose one thing at least."},
    )


class MemberForm(forms.Form):
    username = forms.CharField(max_length=150)
    role = forms.ChoiceField(
        choices=((Membership.Role.MEMBER, "Member"), (Membership.Role.OWNER, "Owner")),
        help_text="Members see and record; owners change what is on this page, too.",
    )


class NewProjectForm(forms.Form):
    id = forms.SlugField(
        max_length=100, help_text="For addresses, and for good: letters, digits, - and _."
    )
    name = forms.CharField(max_length=200, required=False)
